"""Word documents: paragraphs and tables in the order of the document, as it reads with its changes accepted.

Footnotes come at the end; comments and tracked changes are pages of their own, apart from the text.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docx
from docx.opc.exceptions import OpcError
from lxml import etree

from ingestion.parse import office, plain
from ingestion.parse.parsed import File, Page, Parsed

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# Drawn a second time for old programs; moved away; deleted.
NOT_READ = {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    f"{W}del",
    f"{W}moveFrom",
}
SIGNS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
DEEPEST = 20  # tables within tables

BROKEN: tuple[type[Exception], ...] = (*office.BROKEN, OpcError)


def parse(file: File) -> Parsed:
    office.check(file.path)
    try:
        document = docx.Document(str(file.path))
        styles = {style.style_id: style.name or "" for style in document.styles}
        text = "\n".join([*_blocks(document.element.body, styles, 0), *_notes(file.path, "footnote")])
        apart = {"comments": _notes(file.path, "comment"), "tracked changes": _changes(document.element.body)}
        pages = _pages(text, {label: "\n".join(lines) for label, lines in apart.items()})
    except BROKEN as error:
        raise office.damaged() from error
    said = office.properties(document.core_properties)
    return Parsed(MEDIA_TYPE, pages, title=document.core_properties.title or "", metadata=said)


def _pages(text: str, apart: Mapping[str, str]) -> tuple[Page, ...]:
    pages = plain.numbered(list(plain.parts(plain.clean(text))))
    for label, content in apart.items():
        if content.strip():
            pages += (Page(len(pages) + 1, label, plain.ended(plain.clean(content))),)
    return pages


def _blocks(container: Any, styles: Mapping[str, str], depth: int) -> Iterator[str]:
    for block in container:
        if block.tag == f"{W}p":
            text = _text(block)
            yield f"\n{text}\n" if _style(block, styles).startswith("Heading") else text
        elif block.tag == f"{W}tbl" and depth < DEEPEST:
            yield from _rows(block, styles, depth)
            yield ""
        elif block.tag == f"{W}sdt":  # a content control: a form field, a table of contents
            yield from _blocks(block.iterfind(f"{W}sdtContent/*"), styles, depth)
        elif block.tag in {f"{W}ins", f"{W}moveTo", f"{W}customXml", f"{W}smartTag"}:
            yield from _blocks(block, styles, depth)


def _rows(table: Any, styles: Mapping[str, str], depth: int) -> Iterator[str]:
    for row in table.iter(f"{W}tr"):
        if next(row.iterancestors(f"{W}tbl")) is table:
            cells = [cell for cell in row.iter(f"{W}tc") if next(cell.iterancestors(f"{W}tr")) is row]
            yield "\t".join(" ".join(" ".join(_blocks(cell, styles, depth + 1)).split()) for cell in cells)


def _style(paragraph: Any, styles: Mapping[str, str]) -> str:
    found = paragraph.find(f"{W}pPr/{W}pStyle")
    return styles.get(found.get(f"{W}val"), "") if found is not None else ""


def _text(node: Any) -> str:
    """The text of a paragraph as it reads with its changes accepted."""
    if node.tag == f"{W}t":
        return node.text or ""
    if node.tag in NOT_READ:
        return ""
    return SIGNS.get(node.tag, "") + "".join(_text(child) for child in node)


def _notes(path: Path, kind: str) -> Iterator[str]:
    """Footnotes, or comments with who made them."""
    part = f"word/{kind}s.xml"
    with zipfile.ZipFile(path) as package:
        if part not in package.namelist():
            return
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(package.read(part), parser)
    for note in root.iter(f"{W}{kind}"):
        text = "".join(_text(paragraph) for paragraph in note).strip()
        if text:
            author = note.get(f"{W}author", "")
            yield f"[{note.get(f'{W}id')}] " + (f"{author}: {text}" if author else text)


def _changes(body: Any) -> Iterator[str]:
    """What was inserted and deleted, by whom and when."""
    for change in body.iter(f"{W}ins", f"{W}del"):
        texts = change.iter(f"{W}t", f"{W}delText")
        text = "".join(node.text or "" for node in texts).strip()
        if text:
            deed = "inserted" if change.tag == f"{W}ins" else "deleted"
            author, date = change.get(f"{W}author", "unknown"), change.get(f"{W}date", "no date")
            yield f"{author} {deed} ({date}): {text}"
