"""What a file is: by its content first, by its name only where the content leaves it open."""

import zipfile
from pathlib import Path, PurePosixPath

from ingestion.parse.errors import ParseError

HEAD_BYTES = 4096
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# First bytes → kind
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x89PNG\r\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"\xffWPC", "wordperfect"),
    (b"MZ", "program"),
    (b"\x7fELF", "program"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf", "7z"),
    (b"Rar!", "rar"),
)
SUFFIXES = {
    ".eml": "email", ".htm": "html", ".html": "html", ".xhtml": "html", ".txt": "plain", ".text": "plain",
    ".md": "plain", ".csv": "csv", ".tsv": "csv", ".log": "plain", ".xml": "xml", ".mbox": "mbox",
}  # fmt: skip
OLE_SUFFIXES = {".msg": "msg", ".doc": "doc", ".xls": "xls", ".ppt": "ppt"}
NAMES = {
    "wordperfect": "a WordPerfect document: save it as DOCX or PDF",
    "program": "a program",
    "gzip": "a gzip archive: unpack it, or make it a ZIP",
    "7z": "a 7z archive: make it a ZIP",
    "rar": "a RAR archive: make it a ZIP",
    "binary": "a binary file of an unknown type",
}


def kind_of(path: Path, name: str) -> str:
    """A key of ingestion.parse.PARSERS. Raises ParseError when the file is empty or of no known kind."""
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
    if not head:
        raise ParseError("empty", "The file is empty.")
    kind = _by_content(path, head, PurePosixPath(name).suffix.lower())
    if kind in NAMES:
        raise ParseError("unsupported", f"Files of this type cannot be read: it is {NAMES[kind]}.")
    return kind


def _by_content(path: Path, head: bytes, suffix: str) -> str:
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK") and (head[2:4] in {b"\x03\x04", b"\x05\x06"}):
        return _zip_kind(path)
    if head.startswith(OLE):
        return _ole_kind(head, suffix)
    return _text_kind(head, suffix)


def _zip_kind(path: Path) -> str:
    """Office files are archives; what they contain tells which."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            odf = archive.read("mimetype")[:100] if "mimetype" in names else b""
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
    ) as error:
        raise ParseError("damaged", "The file is damaged: its archive cannot be opened.") from error
    if odf.startswith(b"application/vnd.oasis.opendocument.text"):
        return "odt"
    for part, kind in (
        ("word/document.xml", "docx"),
        ("xl/workbook.xml", "xlsx"),
        ("ppt/presentation.xml", "pptx"),
    ):
        if part in names:
            return kind
    return "zip"


def _ole_kind(head: bytes, suffix: str) -> str:
    """Old Office files; a new one in this wrapping is encrypted."""
    if suffix in {".docx", ".xlsx", ".pptx"} or "EncryptedPackage".encode("utf-16-le") in head:
        raise ParseError(
            "encrypted", "The file is protected by a password: remove it and upload the file again."
        )
    return OLE_SUFFIXES.get(suffix, "binary")


def _text_kind(head: bytes, suffix: str) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if suffix in {".pdf", ".docx", ".xlsx"}:
        raise ParseError("damaged", f"The file is damaged: it is not a {suffix[1:].upper()} file inside.")
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if start.startswith(b"<?xml"):
        return "xml"
    if _looks_binary(head):
        return "binary"
    if start.startswith(b"from ") and b"\nfrom:" in start:
        return "mbox"
    first = start.split(b"\n", 1)[0]
    return (
        "email"
        if first.split(b":")[0] in {b"from", b"received", b"return-path", b"delivered-to"}
        else "plain"
    )


def _looks_binary(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control > len(head) * 0.1
