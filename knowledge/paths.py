"""File names as people and archives send them, made safe to store and to show."""

import hashlib
import unicodedata
from collections.abc import Iterator

LONGEST = 400
MOST_OF_ONE_NAME = 10_000
RESERVED = {"con", "prn", "aux", "nul"}


def clean(name: str) -> str:
    """A relative path with forward slashes: no climbing, no control or direction-changing characters.

    Never empty: a name of which nothing is left becomes "unnamed".
    """
    parts = [_clean_part(part) for part in name.replace("\\", "/").split("/")]
    path = "/".join(part for part in parts if part)
    return _shorten(path) or "unnamed"


def inside(parent: str, name: str) -> str:
    """The path of what was inside a file. Always longer than the parent's own, and never too long."""
    cleaned = clean(name)
    path = f"{parent}/{cleaned}"
    if len(path) <= LONGEST:
        return path
    mark = hashlib.sha256(path.encode()).hexdigest()[:12]
    last = _shorten(cleaned, LONGEST // 2)
    return f"{parent[: LONGEST - len(last) - len(mark) - 2]}~{mark}/{last}"


def numbered(path: str) -> Iterator[str]:
    """The path itself, then “name (2).txt”, “name (3).txt” …"""
    yield path
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    for number in range(2, MOST_OF_ONE_NAME):
        named = f"{stem} ({number}).{extension}" if stem and dot else f"{name} ({number})"
        yield f"{folder}{slash}{named}"


def _clean_part(part: str) -> str:
    visible = "".join(
        char for char in part if unicodedata.category(char) not in {"Cc", "Cs"} and not _bidi(char)
    )
    stripped = unicodedata.normalize("NFC", visible).strip()
    if stripped.strip(".") == "":
        return ""
    if stripped.split(".")[0].lower() in RESERVED:
        return f"_{stripped}"
    return stripped


def _bidi(char: str) -> bool:
    return unicodedata.bidirectional(char) in {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def _shorten(path: str, longest: int = LONGEST) -> str:
    if len(path) <= longest:
        return path
    stem, dot, extension = path.rpartition(".")
    if not dot or len(extension) > 10:
        return path[:longest]
    return stem[: longest - len(extension) - 1] + dot + extension
