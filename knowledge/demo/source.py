"""The light markup in which the demo documents are written, and its plain text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

SOURCES = Path(__file__).parent / "sources"
Kind = Literal["title", "centre", "heading", "subheading", "paragraph", "item", "table", "page", "contents"]
MARKS: dict[str, Kind] = {">>": "title", ">": "centre", "#": "heading", "##": "subheading"}
RULE = "|---|"  # below the heading row of a table
LABEL = re.compile(r"((?:\d+\.)+\d*|\([a-zA-Z0-9]{1,3}\)) ")


@dataclass(frozen=True)
class Block:
    kind: Kind
    lines: tuple[str, ...] = ()  # with **bold** marks; a line break here is one in the document
    rows: tuple[tuple[str, ...], ...] = ()
    headed: bool = False  # the first row names the columns

    @property
    def label(self) -> str:
        """The clause number or letter at the start of a paragraph, "" where there is none."""
        found = LABEL.match(self.lines[0]) if self.lines else None
        return found.group(1) if found else ""

    @property
    def plain(self) -> str:
        lines = self.lines or tuple("\t".join(row) for row in self.rows)
        return "\n".join(lines).replace("**", "")


@dataclass(frozen=True)
class Source:
    head: dict[str, str]
    blocks: tuple[Block, ...]

    @property
    def date(self) -> datetime:
        """Noon on the document's own date: every timestamp in the files comes from it."""
        return datetime.fromisoformat(self.head["date"]).replace(hour=12, tzinfo=UTC)

    @property
    def pages(self) -> list[list[Block]]:
        """The blocks between the written page breaks."""
        pages: list[list[Block]] = [[]]
        for block in self.blocks:
            if block.kind == "page":
                pages.append([])
            else:
                pages[-1].append(block)
        return pages


def read(name: str) -> Source:
    """The source of this name; headers first, then blocks divided by blank lines."""
    head, body = letter(name)
    return Source(head, tuple(_block(part) for part in re.split(r"\n{2,}", body.strip("\n"))))


def letter(name: str) -> tuple[dict[str, str], str]:
    """Headers and unparsed body, as the e-mails need them."""
    text = (SOURCES / f"{name}.txt").read_text(encoding="utf-8")
    top, body = text.split("\n\n", 1)
    return dict(re.split(r":\s*", line, maxsplit=1) for line in top.splitlines()), body


def plain(blocks: Sequence[Block]) -> str:
    return "\n\n".join(block.plain for block in blocks if block.lines or block.rows) + "\n"


def _block(text: str) -> Block:
    if text == "===":
        return Block("page")
    if text == "=toc=":
        return Block("contents")
    lines = tuple(text.splitlines())
    if lines[0].startswith("|"):
        rows = tuple(_cells(line) for line in lines if line != RULE)
        return Block("table", rows=rows, headed=RULE in lines)
    mark, _, rest = lines[0].partition(" ")
    if mark in MARKS:
        return Block(MARKS[mark], (rest, *(line.removeprefix(f"{mark} ") for line in lines[1:])))
    if text.startswith("  "):
        return Block("item", tuple(line.strip() for line in lines))
    return Block("paragraph", lines)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|"))
