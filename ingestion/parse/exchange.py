"""How a result leaves the sandbox: JSON and raw bytes in the scratch folder, nothing that could execute.

The reader trusts nothing: what does not fit the form is the work of a parser gone wrong.
"""

import io
import json
import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, get_args

from ingestion.parse.errors import Code, ParseError, ParserKilled
from ingestion.parse.parsed import Attachment, Kind, Page, Parsed, Refusal

RESULT = "result.json"
COMPLAINTS = "stderr"
PROTECTIONS = "protections.json"
TAKEN = b"+"  # what a keeper says first
PICTURE = "picture.png"
BOXES = "boxes"  # of all pages, one after the other: a file for each costs more than what is in it
PASSWORD = "password"  # noqa: S105 - the name of a file
OUT_OF_MEMORY = "Reading the file needed more memory than is allowed."
PNG = b"\x89PNG\r\n\x1a\n"  # how one begins
MOST_BYTES = 512 * 1024**2
MOST_RESULT_BYTES = 256 * 1024**2  # all text of one file
GARBAGE = "The parser left something that is not a result."


def write(scratch: Path, parsed: Parsed) -> None:
    boxes = [page.boxes for page in parsed.pages]
    (scratch / BOXES).write_bytes(b"".join(each for each in boxes if each))
    pages = [
        {**asdict(page), "boxes": None if page.boxes is None else len(page.boxes)} for page in parsed.pages
    ]
    attachments = [
        {"name": attachment.name, "file": _put(scratch, f"attachment-{place}", attachment.content)}
        for place, attachment in enumerate(parsed.attachments)
    ]
    result = {
        "media_type": parsed.media_type,
        "title": parsed.title,
        "metadata": parsed.metadata,
        "pages": pages,
        "attachments": attachments,
        "refused": [asdict(refusal) for refusal in parsed.refused],
    }
    (scratch / RESULT).write_text(json.dumps(result), encoding="utf-8")


def give_password(scratch: Path, password: str) -> None:
    """By a file, because everybody on a machine can read command lines."""
    if password:
        (scratch / PASSWORD).write_text(password, encoding="utf-8")


def take_password(scratch: Path) -> str:
    file = scratch / PASSWORD
    password = file.read_text(encoding="utf-8") if file.exists() else ""
    file.unlink(missing_ok=True)
    return password


def write_error(scratch: Path, error: ParseError) -> None:
    (scratch / RESULT).write_text(
        json.dumps({"code": error.code, "message": error.message}), encoding="utf-8"
    )


def write_picture(scratch: Path, content: bytes) -> None:
    (scratch / RESULT).write_text(json.dumps({"picture": _put(scratch, PICTURE, content)}), encoding="utf-8")


def read_picture(scratch: Path) -> bytes:
    """The PNG that a child left. Raises the ParseError it left, or ParserKilled for anything else."""
    try:
        result = json.loads(take(scratch, RESULT, MOST_RESULT_BYTES))
        if "code" in result:
            raise _error(result)
        content = take(scratch, PICTURE)
        if not content.startswith(PNG):
            raise ValueError("not a PNG")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParserKilled("crashed", GARBAGE) from error
    return content


def read(scratch: Path) -> Parsed:
    """The result that a child left. Raises the ParseError it left, or ParserKilled for anything else."""
    try:
        result = json.loads(take(scratch, RESULT, MOST_RESULT_BYTES))
        if "code" in result:
            raise _error(result)
        return _parsed(scratch, result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParserKilled("crashed", GARBAGE) from error


def take(scratch: Path, name: str, most: int = MOST_BYTES) -> bytes:
    """The content of a plain file of the scratch folder. Raises ValueError for anything else: a link, a pipe,
    a way out of the folder, a file that is larger than `most`.
    """
    opened = os.open(scratch / Path(name).name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as handle:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise ValueError(name)
        return handle.read(most)


def _put(scratch: Path, name: str, content: bytes) -> str:
    (scratch / name).write_bytes(content)
    return name


def _error(result: dict[str, Any]) -> ParseError:
    if result["code"] not in get_args(Code):
        return ParserKilled("crashed", GARBAGE)
    killed = result["code"] in {"timeout", "memory", "crashed"}
    return (ParserKilled if killed else ParseError)(result["code"], str(result["message"])[:500])


def _parsed(scratch: Path, result: dict[str, Any]) -> Parsed:
    boxes = io.BytesIO(take(scratch, BOXES))
    return Parsed(
        media_type=_text(result["media_type"]),
        title=_text(result["title"]),
        metadata={_text(key): _text(value) for key, value in result["metadata"].items()},
        pages=tuple(_page(page, boxes) for page in result["pages"]),
        attachments=tuple(
            Attachment(_text(each["name"]), take(scratch, each["file"])) for each in result["attachments"]
        ),
        refused=tuple(Refusal(_text(each["name"]), _text(each["reason"])) for each in result["refused"]),
    )


def _page(page: dict[str, Any], boxes: BinaryIO) -> Page:
    if page["kind"] not in get_args(Kind):
        raise ValueError(page["kind"])
    confidence = page["confidence"]
    return Page(
        number=int(page["number"]),
        label=_text(page["label"]),
        text=_text(page["text"]),
        kind=page["kind"],
        confidence=None if confidence is None else float(confidence),
        width=float(page["width"]),
        height=float(page["height"]),
        boxes=None if page["boxes"] is None else boxes.read(max(int(page["boxes"]), 0)),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("not text")
    value.encode("utf-8")  # half a surrogate pair is no text
    return value
