"""Plain text and Markdown in any encoding, and the cutting of flowing text into parts."""

import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from ingestion.parse.parsed import File, Page, Parsed

PART_CHARACTERS = 4_000  # what a reader sees as one page of a text that has none
SAMPLE_BYTES = 200_000
_BREAKS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def parse(file: File) -> Parsed:
    text = clean(decode(file.path.read_bytes()))
    pages = [part for sheet in text.split("\f") for part in parts(sheet)]
    return Parsed("text/plain", numbered(pages))


def decode(content: bytes) -> str:
    """Text of unknown encoding: by its mark, as UTF-8, or by what the bytes look like."""
    for mark, encoding in BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace").removeprefix("\ufeff")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        best = from_bytes(content[:SAMPLE_BYTES]).best()
        return content.decode(best.encoding if best else "cp1252", errors="replace")


def clean(text: str) -> str:
    """Line breaks as one character; no NUL and no half of a surrogate pair, which no database takes."""
    text = _BREAKS.sub("\n", text.replace("\x00", ""))
    return text.encode("utf-8", errors="ignore").decode("utf-8")


def parts(text: str, size: int = PART_CHARACTERS) -> Iterator[str]:
    """Cut a long text where a paragraph, a line or at worst a word ends; nothing is lost."""
    start = 0
    while len(text) - start > size * 1.5:
        end = _border(text, start + size // 2, start + size)
        yield text[start:end]
        start = end
    yield text[start:]


def numbered(texts: list[str], noun: str = "part") -> tuple[Page, ...]:
    """Pages of flowing text. A text of one part is simply the whole document."""
    visible = [text for text in texts if text.strip()]
    return tuple(
        Page(number, f"{noun} {number}" if len(visible) > 1 else "1", ended(text))
        for number, text in enumerate(visible, start=1)
    )


def ended(text: str) -> str:
    """Every page ends a line, so that words never run together over a page break."""
    return text if not text or text.endswith("\n") else text + "\n"


def _border(text: str, least: int, most: int) -> int:
    for mark in ("\n\n", "\n", ". ", " "):
        place = text.rfind(mark, least, most)
        if place >= 0:
            return place + len(mark)
    return most
