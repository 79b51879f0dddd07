"""Model folders on disk: where they are, and whether it is safe to open them."""

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from inference.errors import ModelMissing

MANIFEST = "manifest.json"
PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def wheel_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing(f"The default model is not installed (package {package}).")
    return Path(next(iter(spec.submodule_search_locations)))


def existing(model: str) -> Path:
    """The file or folder of that name; a model's name on a hub is not enough, nothing is ever downloaded."""
    path = Path(model).expanduser()
    if not path.exists():
        raise ModelMissing(f"There is no model at “{model}”. Give the path of a folder on this machine.")
    return path


def check(folder: Path) -> None:
    """Refuse a folder that could run code when opened: pickled weights, or code of the model's own."""
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        if any(inner.glob("*.safetensors")):
            continue
        if any(path for pattern in PICKLED for path in inner.glob(pattern)):
            raise ModelMissing(f"“{folder}” has pickled weights, which can run code. Convert to safetensors.")
    if not any(folder.rglob("*.safetensors")):
        raise ModelMissing(f"“{folder}” has no weights in safetensors format.")
    for name in ("config.json", "tokenizer_config.json"):
        if "auto_map" in _object(folder / name):
            raise ModelMissing(f"The model in “{folder}” needs code of its own, which is not run here.")
    _check_modules(folder)
    _check_manifest(folder)


def check_listed(place: Path) -> None:
    """Refuse a folder, or a file of one, that is not as the manifest.json in it says."""
    if place.is_dir():
        _check_manifest(place)
        return
    told = _told(place.parent)
    if told is not None and told.get(place.name) != _digest(place):
        raise ModelMissing(f"“{place}” does not match the {MANIFEST} beside it.")


def _check_manifest(folder: Path) -> None:
    """Where there is a manifest.json, every file must be in it, unchanged."""
    told = _told(folder)
    if told is None:
        return
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    if found.keys() != told.keys():
        different = ", ".join(sorted(found.keys() ^ told.keys()))
        raise ModelMissing(f"“{folder}” does not match its {MANIFEST}: {different}.")
    changed = [name for name, path in sorted(found.items()) if _digest(path) != told[name]]
    if changed:
        raise ModelMissing(f"“{folder}” does not match its {MANIFEST}: {', '.join(changed)} changed.")


def _told(folder: Path) -> dict[str, Any] | None:
    """What manifest.json, {"files": {name: SHA-256}}, says of a folder's files; None where there is none."""
    manifest = _json(folder / MANIFEST)
    if manifest is None:
        return None
    told = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(told, dict):
        raise ModelMissing(f"The {MANIFEST} in “{folder}” has no list of files.")
    return told


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_modules(folder: Path) -> None:
    """sentence-transformers imports the classes that modules.json names: only its own are allowed."""
    modules = _json(folder / "modules.json") or []
    kinds = [str(module.get("type", "")) for module in modules if isinstance(module, dict)]
    if not all(kind.startswith("sentence_transformers.") for kind in kinds):
        raise ModelMissing(f"The model in “{folder}” needs code of its own, which is not run here.")


def _object(path: Path) -> dict[str, Any]:
    value = _json(path)
    return value if isinstance(value, dict) else {}


def _json(path: Path) -> Any:
    """The file's value, None where there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelMissing(f"“{path}” cannot be read: {error}.") from error
