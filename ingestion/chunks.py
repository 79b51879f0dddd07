"""Cutting the text of a document into passages with exact character offsets.

A node parser of llama-index's kind that knows legal text: borders are sought at headings and numbered
clauses, then paragraphs, lines, sentences, words. A clause that fits is not cut; small neighbours share one.
"""

import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any, Protocol

from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import BaseNode, Document, TextNode

from knowledge import headings

# What opens a clause, at the start of a line: "ARTICLE 5", "Section 5.2", "5.2", "(a)", "# Title", "WHEREAS".
_CLAUSE = re.compile(
    r"(?:ARTICLE|Article|SECTION|Section|SCHEDULE|Schedule|EXHIBIT|Exhibit|ANNEX|Annex|PART|Part)\s+[\dIVXLA-Z]"
    r"|\d{1,3}(?:\.\d{1,3}){0,4}\.?\s+\S|#{1,6}\s|WHEREAS\b|NOW,? THEREFORE\b|§+\s*\d"
)
_SENTENCE_END = re.compile(r"[.;!?:]['\"”’)]*\s")
DEEPEST = 3
LEAST_SHARE = 4  # a passage that a heading ends early has at least this part of the size


@dataclass(frozen=True)
class Chunk:
    """A passage: text == document text[start:end]."""

    ordinal: int
    start: int
    end: int
    text: str
    page_first: int
    page_last: int
    heading: str  # the path of headings above it, "5 Price › 5.2 Payment"


class PageLike(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def text(self) -> str: ...


def split(pages: Sequence[PageLike], size: int, overlap: int, first: int = 0) -> list[Chunk]:
    """Passages of at most `size` characters. `overlap` characters of a cut clause stand in both halves.

    The pages follow each other in the text, from offset `first`. Where their numbers leave a gap, a page in
    between stands elsewhere in the text: no passage reaches across.
    """
    parser = ClauseParser(size=size, overlap=min(overlap, size // 2))
    chunks: list[Chunk] = []
    for run in _runs(pages):
        chunks += _cut_run(parser, run, first, len(chunks))
        first += sum(len(page.text) for page in run)
    return chunks


def _runs(pages: Sequence[PageLike]) -> Iterator[Sequence[PageLike]]:
    """The pages in stretches whose numbers follow each other."""
    begin = 0
    for place in range(1, len(pages) + 1):
        if place == len(pages) or pages[place].number != pages[place - 1].number + 1:
            yield pages[begin:place]
            begin = place


def _cut_run(parser: "ClauseParser", pages: Sequence[PageLike], first: int, ordinal: int) -> Iterator[Chunk]:
    text = "".join(page.text for page in pages)
    if not text.strip():
        return
    starts = list(accumulate((len(page.text) for page in pages), initial=0))[:-1]
    for node in parser.get_nodes_from_documents([Document(text=text)]):
        yield _chunk(ordinal, node, pages, starts, first)
        ordinal += 1


class ClauseParser(NodeParser):
    """llama-index node parser; each node knows its start_char_idx, end_char_idx and heading path."""

    size: int
    overlap: int

    @classmethod
    def class_name(cls) -> str:
        return "ClauseParser"

    def _parse_nodes(self, nodes: Sequence[BaseNode], *_: Any, **__: Any) -> list[BaseNode]:
        return [made for node in nodes for made in self._cut(node.get_content())]

    def _cut(self, text: str) -> Iterator[BaseNode]:
        above: list[str] = []
        for start, end in _merged(text, _clauses(text), self.size):
            lines = [line for line in text[start:end].split("\n") if line.strip()]
            opening = list(takewhile(headings.is_heading, map(str.strip, lines)))
            for line in opening:  # a passage that opens with its headings stands under them
                headings.follow(above, line)
            path = " › ".join(above[-DEEPEST:])
            for line in lines[len(opening) :]:
                headings.follow(above, line)
            for left, right in self._pieces(text, start, end):
                yield TextNode(
                    text=text[left:right],
                    start_char_idx=left,
                    end_char_idx=right,
                    metadata={"heading": path},
                )

    def _pieces(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The span, or where it is too long its parts with an overlap of whole sentences.

        What begins no later or ends no later than the part before it says nothing new.
        """
        begun, ended = start - 1, start
        for left, right in self._parts(text, start, end):
            if left <= begun:
                left, right = _trim(text, ended, right)
            if right > max(left, ended):
                yield left, right
                begun, ended = left, right

    def _parts(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        while end - start > self.size:
            cut = _border(text, start + self.size // 2, start + self.size)
            yield _trim(text, start, cut)
            start = max(_overlap_start(text, cut, self.overlap), start + 1) if self.overlap else cut
        yield _trim(text, start, end)


def _clauses(text: str) -> Iterator[tuple[int, int]]:
    """Spans of clauses and paragraphs, end to end over the whole text."""
    start = position = 0
    blank = False
    for line in text.splitlines(keepends=True):
        opens = bool(line.strip()) and (blank or bool(_CLAUSE.match(line)))
        if opens and position > start:
            yield start, position
            start = position
        blank = not line.strip()
        position += len(line)
    if position > start:
        yield start, position


def _merged(text: str, spans: Iterator[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Neighbours together while they fit. A major heading begins a new one, unless in a contents list; so
    does a landmark, which keeps borders where they are when something before them was edited.
    """
    start = end = 0
    for left, right in spans:
        is_full = right - start > size and end > start
        is_major = left - start > size // LEAST_SHARE and _is_major(text, left)
        if is_full or is_major or (left - start >= size // 2 and _is_landmark(text[left:right])):
            yield _trim(text, start, end)
            start = left
        end = right
    if text[start:end].strip():
        yield _trim(text, start, end)


def _is_landmark(clause: str) -> bool:
    """One clause in three, by its own words alone."""
    return zlib.crc32(clause.encode("utf-8", errors="replace")) % 3 == 0


def _is_major(text: str, start: int) -> bool:
    line = text[start : start + headings.LONGEST + 1].split("\n", 1)[0]
    return bool(
        re.match(
            r"(?:ARTICLE|SECTION|SCHEDULE|EXHIBIT|ANNEX|Article|Schedule|Exhibit|Annex)\s+[\dIVXLA-Z]+\b|#{1,2}\s",
            line,
        )
    )


def _border(text: str, least: int, most: int) -> int:
    """Where to cut between these offsets: after a line, a sentence, a word, or at the end."""
    line = text.rfind("\n", least, most)
    if line >= 0 and text[line - 1 : line] in {".", ";", ":"}:
        return line + 1
    ends = [found.end() for found in _SENTENCE_END.finditer(text, least, most)]
    if ends:
        return ends[-1]
    for mark in ("\n", " ", "\t"):
        place = text.rfind(mark, least, most)
        if place >= 0:
            return place + 1
    return most


def _overlap_start(text: str, cut: int, overlap: int) -> int:
    """The first whole sentence, or word, within `overlap` characters before the cut."""
    for found in _SENTENCE_END.finditer(text, cut - overlap, cut):
        if found.end() < cut:
            return found.end()
    space = text.find(" ", cut - overlap, cut)
    return space + 1 if 0 <= space < cut - 1 else cut


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space around it."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return start + left, start + left + len(piece.strip())


def _chunk(ordinal: int, node: BaseNode, pages: Sequence[PageLike], starts: list[int], offset: int) -> Chunk:
    start, end = int(getattr(node, "start_char_idx", 0)), int(getattr(node, "end_char_idx", 0))
    page_first, page_last = (pages[bisect_right(starts, place) - 1].number for place in (start, end - 1))
    heading = str(node.metadata["heading"])
    text = node.get_content()
    return Chunk(ordinal, offset + start, offset + end, text, page_first, page_last, heading)
