"""Checks of the archives that office files are, before any library opens them."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

from ingestion.parse import plain
from ingestion.parse.errors import ParseError

# What libraries raise on a broken package is whatever the missing piece provokes.
BROKEN: tuple[type[Exception], ...] = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, KeyError,
    ValueError, AttributeError, IndexError, TypeError, SyntaxError,
)  # fmt: skip
MOST_BYTES = 256 * 1024 * 1024  # unpacked
MOST_RATIO = 250
SMALL = 1024 * 1024  # below this a high ratio is harmless


def check(path: Path) -> None:
    """Refuse archive bombs, encrypted members, and XML that declares entities."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_sizes(archive.infolist())
            for member in archive.infolist():
                if member.filename.endswith((".xml", ".rels")) and _declares_entities(archive, member):
                    raise ParseError(
                        "bomb", "The file declares XML entities, as attacks do; it was not opened."
                    )
    except BROKEN as error:
        raise damaged() from error


def check_sizes(members: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members) or 1
    if unpacked > MOST_BYTES or (unpacked > SMALL and unpacked / packed > MOST_RATIO):
        raise ParseError("bomb", f"The file would unpack to {unpacked // 1_000_000:,} MB; it was not opened.")


def declares_entities(content: bytes) -> bool:
    """In ASCII and in what is a superset of it, in UTF-16 and UTF-32; EBCDIC counts as an attack."""
    return b"<!ENTITY" in content.replace(b"\x00", b"") or content.startswith(b"\x4c\x6f\xa7\x94")


def properties(core: Any) -> dict[str, str]:
    """Who wrote an office file, and when it was made and last changed, from its core properties."""
    found = {
        "author": getattr(core, "author", None) or getattr(core, "creator", None) or "",
        "created": core.created.isoformat() if core.created else "",
        "modified": core.modified.isoformat() if core.modified else "",
    }
    return {name: plain.clean(value) for name, value in found.items() if value}


def damaged() -> ParseError:
    return ParseError("damaged", "The file is damaged: open it in its program and save it again.")


def _declares_entities(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as part:
        head = part.read(4096)
    return declares_entities(head) or b"<!DOCTYPE" in head.replace(b"\x00", b"")
