"""What a parser makes of a file: plain data that crosses the border of the sandbox."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# "pending": a picture that is to be read later
Kind = Literal["text", "ocr", "unreadable", "pending"]
# Whether pages that are pictures are read now, left for later, or are the only ones that are read
Ocr = Literal["now", "later", "only"]


@dataclass(frozen=True)
class File:
    """What a parser is given. The name only helps to tell what the bytes are."""

    path: Path
    name: str
    ocr: Ocr = "now"
    only: frozenset[int] = frozenset()  # the pages that "only" reads
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Page:
    """A page, or the nearest equivalent. Its text is empty or ends with a line break.

    `boxes` is a byte 2, then little-endian for each word in order: where it begins in the text and its length
    (uint32), and x0, y0, x1, y1 of its first and of its last character (int16), in tenths of a point from the
    top left of the page as displayed; all zero for a character without a place.
    """

    number: int  # from 1
    label: str  # "4" for a page, else how a citation names it: "part 2", "sheet Fees", "e-mail"
    text: str
    kind: Kind = "text"
    confidence: float | None = None  # of OCR, 0 to 1
    width: float = 0.0  # points
    height: float = 0.0
    boxes: bytes | None = None


@dataclass(frozen=True)
class Attachment:
    name: str  # relative path with forward slashes
    content: bytes


@dataclass(frozen=True)
class Refusal:
    """An attachment or archive member that could not be taken, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Parsed:
    media_type: str
    pages: tuple[Page, ...] = ()
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    refused: tuple[Refusal, ...] = ()
