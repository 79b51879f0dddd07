"""ZIP archives: each member becomes a document of its own; a bad one is named, the others go on."""

import stat
import zipfile
import zlib

from ingestion.parse import office
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import Attachment, File, Parsed, Refusal

MOST_MEMBERS = 10_000
# What systems put into archives beside people's files.
LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


def parse(file: File) -> Parsed:
    try:
        with zipfile.ZipFile(file.path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(members)
            return _read(archive, members)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, ValueError) as error:
        raise ParseError("damaged", "The archive is damaged: make it again.") from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS:
        raise ParseError("bomb", f"The archive has more than {MOST_MEMBERS:,} files.")
    office.check_sizes(members)
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
            raise ParseError(
                "unsafe_archive", "The archive has files that point outside of it; it was not opened."
            )


def _read(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Parsed:
    attachments: list[Attachment] = []
    refused: list[Refusal] = []
    for member in members:
        if any(mark in member.filename for mark in LITTER):
            continue
        reason = _refusal(member)
        try:
            content = b"" if reason else archive.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
            reason = "It is damaged inside the archive."
        if reason or not content:
            refused.append(Refusal(member.filename, reason or "It is empty."))
        else:
            attachments.append(Attachment(member.filename, content))
    return Parsed("application/zip", attachments=tuple(attachments), refused=tuple(refused))


def _refusal(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x1:
        return "It is protected by a password."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a link, not a file."
    return ""
