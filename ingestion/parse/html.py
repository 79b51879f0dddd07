"""HTML to text: blocks become lines, cells are divided by tabs; scripts and styles are dropped."""

import re
from typing import Any

from lxml import etree

from ingestion.parse import plain
from ingestion.parse.parsed import File, Parsed

DROPPED = {"script", "style", "noscript", "template", "svg", "iframe", "object"}
BLOCKS = set(
    """
    address article aside blockquote body br dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header
    hr li main nav ol option p pre section table tbody tfoot thead title tr ul
    """.split()
)
PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote"}
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def parse(file: File) -> Parsed:
    collected = collect(decode(file.path.read_bytes()))
    pages = plain.numbered(list(plain.parts(collected.text())))
    return Parsed("text/html", pages, title=collected.title)


def decode(content: bytes) -> str:
    """By the page's own word for its encoding, if that holds, else like any text."""
    named = _CHARSET.search(content[:2048])
    if named:
        try:
            return content.decode(named.group(1).decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return plain.decode(content)


def to_text(source: str) -> str:
    return collect(source).text()


def collect(source: str) -> "Collector":
    """The parser calls the collector and builds no tree, so that depth costs nothing."""
    target = Collector()
    called: Any = target  # the library's own protocol says that a tag may be bytes
    parser = etree.HTMLParser(target=called, huge_tree=True, no_network=True)
    cleaned = _DECLARATION.sub("", plain.clean(source))
    if cleaned.strip():
        parser.feed(cleaned)
        parser.close()
    return target


class Collector:
    """Receives what the parser meets and keeps the text that a reader would see."""

    def __init__(self) -> None:
        self.title = ""
        self._pieces: list[str] = []
        self._dropped = 0
        self._in_title = False

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        if tag in DROPPED:
            self._dropped += 1
        elif tag in {"td", "th"}:
            self._pieces.append("\t")
        elif tag in BLOCKS:
            self._pieces.append("\n\n" if tag in PARAGRAPHS else "\n")
        self._in_title = tag == "title"

    def end(self, tag: str) -> None:
        if tag in DROPPED:
            self._dropped = max(0, self._dropped - 1)
        elif tag in BLOCKS:
            self._pieces.append("\n\n" if tag in PARAGRAPHS else "\n")
        self._in_title = False

    def data(self, data: str) -> None:
        if self._dropped:
            return
        if self._in_title and not self.title:
            self.title = " ".join(data.split())
            return
        self._pieces.append(re.sub(r"[ \t\r\n\xa0]+", " ", data))

    def comment(self, text: str) -> None: ...

    def pi(self, target: str, data: str | None = None) -> None: ...

    def close(self) -> None: ...

    def text(self) -> str:
        lines = (re.sub(r" *\t+ *", "\t", line).strip() for line in "".join(self._pieces).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
