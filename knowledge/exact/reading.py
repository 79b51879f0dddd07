"""Reading a text into the arrays of a Wording, and giving them back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge import sentences
from knowledge.models import Page
from knowledge.query.words import words

EDITION = 1  # goes up when the same text would be read differently
LONGEST_SENTENCE = 5_000  # characters; tables without a full stop go on for ever
KINDS = tuple(Page.Kind)

Ints = NDArray[np.int64]

# An empty line, or the beginning of a numbered clause, a list item, a heading or a line of an e-mail's head.
_PARAGRAPH = re.compile(
    r"\n[ \t>]*\n\s*|\n(?=[ \t]*(?:\d{1,3}(?:\.\d{1,3})+\.?\s|\d{1,3}\.\s|\([a-zA-Z]{1,4}\)\s|[•–*-]\s"
    r"|(?:ARTICLE|SECTION|SCHEDULE|EXHIBIT|ANNEX)\s|§|#{1,6}\s|(?:From|To|Cc|Bcc|Date|Sent|Subject):\s))"
)


class PageLike(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class _Places:
    """All words of a text: which and where in the text as it is read, page by page."""

    texts: list[str]
    starts: Ints
    lengths: Ints


def columns(pages: Sequence[PageLike]) -> dict[str, Any]:
    """The columns of the Wording of these pages, which are all pages of a version.

    They are read by number: a scanned page that came later stands between its neighbours.
    """
    pages = sorted(pages, key=lambda page: page.number)
    text = "".join(page.text for page in pages)
    places = _places(text)
    vocabulary = sorted(set(places.texts))
    number = {term: place for place, term in enumerate(vocabulary)}
    begins = np.array([*accumulate((len(page.text) for page in pages), initial=0)][:-1], dtype=np.int64)
    return {
        "edition": EDITION,
        "characters": len(text),
        "terms": " ".join(vocabulary),
        "ids": _bytes([number[term] for term in places.texts]),
        "starts": _bytes(places.starts + _shifts(pages, begins, places.starts)),
        "lengths": places.lengths.astype(np.uint8).tobytes(),
        "sentences": _bytes(_first_words(places, _sentences(text))),
        "paragraphs": _bytes(_first_words(places, _paragraphs(text))),
        "pages": _bytes(
            np.array([*zip((page.number for page in pages), _at(places, begins), strict=True)]).ravel()
        ),
        "kinds": sum(1 << KINDS.index(Page.Kind(kind)) for kind in {page.kind for page in pages}),
    }


def ints(column: bytes | memoryview) -> Ints:
    return np.frombuffer(column, dtype="<u4").astype(np.int64)


def _places(text: str) -> _Places:
    found = list(words(text))
    starts = np.array([word.start for word in found], dtype=np.int64)
    ends = np.array([word.end for word in found], dtype=np.int64)
    return _Places([word.text for word in found], starts, np.minimum(ends - starts, 255))


def _shifts(pages: Sequence[PageLike], begins: Ints, starts: Ints) -> Ints:
    """How far the text of each word's page stands from where it was read."""
    shift = np.array([page.start for page in pages], dtype=np.int64) - begins
    return shift[np.searchsorted(begins, starts, side="right") - 1] if len(starts) else starts


def _sentences(text: str) -> Ints:
    spans = sentences.split(text, longest=LONGEST_SENTENCE)
    return np.array([span.start for span in spans], dtype=np.int64)


def _paragraphs(text: str) -> Ints:
    return np.array([0, *(border.end() for border in _PARAGRAPH.finditer(text))], dtype=np.int64)


def _first_words(places: _Places, offsets: Ints) -> Ints:
    """The first word at or after each offset, each once; the very first word begins a unit in any case."""
    first = np.unique(np.concatenate([[0], _at(places, offsets)]))
    return first[first < max(len(places.texts), 1)]


def _at(places: _Places, offsets: Ints) -> Ints:
    return np.searchsorted(places.starts, offsets, side="left")


def _bytes(values: Any) -> bytes:
    return np.asarray(values).astype("<u4").tobytes()
