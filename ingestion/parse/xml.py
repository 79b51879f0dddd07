"""XML (statutes, bills, data) and OpenDocument text: the text of each block element as a line."""

import zipfile
from typing import Any

from lxml import etree

from ingestion.parse import office, plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Parsed

# An element whose own text is this short and that stands in running text does not start a line.
INLINE = {
    "b", "i", "em", "strong", "sub", "sup", "span", "a", "ref", "quote", "term", "italic", "external-xref",
    "internal-xref", "inline", "date", "num", "enum", "s", "tab", "short-title", "act-name",
}  # fmt: skip
SAID = {
    "title": "{http://purl.org/dc/elements/1.1/}title",
    "author": "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}initial-creator",
    "created": "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}creation-date",
    "modified": "{http://purl.org/dc/elements/1.1/}date",
}


def parse(file: File) -> Parsed:
    content = file.path.read_bytes()
    if office.declares_entities(content):
        raise ParseError("bomb", "The file declares XML entities, as attacks do; it was not opened.")
    return Parsed("application/xml", plain.numbered(list(plain.parts(_text(content)))))


def parse_odt(file: File) -> Parsed:
    office.check(file.path)
    try:
        with zipfile.ZipFile(file.path) as package:
            content = package.read("content.xml")
            described = package.read("meta.xml") if "meta.xml" in package.namelist() else b""
    except office.BROKEN as error:
        raise office.damaged() from error
    media_type = "application/vnd.oasis.opendocument.text"
    said = _said(described)
    pages = plain.numbered(list(plain.parts(_text(content))))
    return Parsed(media_type, pages, title=said.pop("title", ""), metadata=said)


def _said(described: bytes) -> dict[str, str]:
    """What an OpenDocument file says about itself."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    root = etree.fromstring(described, parser) if described else None
    found = {name: root.findtext(f".//{tag}") for name, tag in SAID.items()} if root is not None else {}
    return {name: plain.clean(value) for name, value in found.items() if value}


def _text(content: bytes) -> str:
    """Text of all elements; every element that is not inline begins and ends a line."""
    collector: Any = _Collector()  # the library's own protocol says that a tag may be bytes
    parser = etree.XMLParser(target=collector, resolve_entities=False, no_network=True, recover=True)
    try:
        parser.feed(content)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise ParseError("damaged", "The file is damaged: it is not well-formed XML.") from error
    lines = (" ".join(line.split()) for line in "".join(collector.pieces).split("\n"))
    return plain.clean("\n".join(line for line in lines if line) + "\n")


class _Collector:
    def __init__(self) -> None:
        self.pieces: list[str] = []

    def start(self, tag: str, _attributes: Any) -> None:
        self.pieces.append(_break(tag))

    def end(self, tag: str) -> None:
        self.pieces.append(_break(tag))

    def data(self, data: str) -> None:
        self.pieces.append(data.replace("\n", " "))

    def close(self) -> None: ...


def _break(tag: str) -> str:
    return " " if tag.rsplit("}", 1)[-1] in INLINE else "\n"
