"""Marking what matched: text cut into pieces, some of them marked. Templates escape each piece."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

WORD = re.compile(r"\w+", re.UNICODE)
STOP_WORDS = frozenset(
    """
    a an and any are as at be by did do does for from had has have how if in into is it its may must
    no not of on or shall should so such that the their them then there these they this to under was
    were what when where which who whom whose why will with would you your
    """.split()
)
SNIPPET_CHARACTERS = 320
BEFORE = 100  # characters before what was found


@dataclass(frozen=True)
class Piece:
    text: str
    is_marked: bool = False


def terms(query: str) -> set[str]:
    """The words of a query that are worth marking, as stems."""
    words = {word.lower() for word in WORD.findall(query)}
    return {stem(word) for word in words - STOP_WORDS if len(word) > 1}


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The Snowball (English) stem in lower case: one word for all forms of a word."""
    # A stemmer keeps state while it works, so threads must not share one.
    return str(snowballstemmer.stemmer("english").stemWord(word.lower()))


def snippet(text: str, query: str, ranges: Sequence[tuple[int, int]] = ()) -> list[Piece]:
    """The stretch of `text` where most of the query's words stand, with those words and the ranges marked."""
    wanted = terms(query)
    ranges = [(max(start, 0), min(end, len(text))) for start, end in ranges if start < len(text) and end > 0]
    if ranges:
        return around(text, min(ranges)[0], [*ranges, *_places(text, wanted)])
    start = _best_start(text, wanted)
    end = min(len(text), start + SNIPPET_CHARACTERS)
    if end < len(text):
        end = text.rfind(" ", start, end) if text.rfind(" ", start, end) > start else end
    pieces = marked(text[start:end], wanted)
    if start:
        pieces.insert(0, Piece("… "))
    if end < len(text):
        pieces.append(Piece(" …"))
    return pieces


def marked(text: str, wanted: set[str]) -> list[Piece]:
    """All of `text` in pieces, those words marked whose stem is wanted."""
    pieces, last = [], 0
    for match in WORD.finditer(text):
        if stem(match.group()) not in wanted:
            continue
        pieces += [Piece(text[last : match.start()]), Piece(match.group(), is_marked=True)]
        last = match.end()
    return [piece for piece in [*pieces, Piece(text[last:])] if piece.text]


def _places(text: str, wanted: set[str]) -> list[tuple[int, int]]:
    return [match.span() for match in WORD.finditer(text) if stem(match.group()) in wanted]


def spans(text: str, ranges: list[tuple[int, int]]) -> list[Piece]:
    """All of `text` in pieces, the given character ranges marked. Ranges may overlap or stick out."""
    pieces, last = [], 0
    for start, end in sorted(ranges):
        start, end = max(start, last), min(end, len(text))
        if start < end:
            pieces += [Piece(text[last:start]), Piece(text[start:end], is_marked=True)]
            last = end
    return [piece for piece in [*pieces, Piece(text[last:])] if piece.text]


def around(text: str, first: int, ranges: list[tuple[int, int]]) -> list[Piece]:
    """The stretch of `text` about the range that begins at `first`, with all ranges in it marked."""
    whole = min(end for start, end in ranges if start == first)
    start = text.rfind(" ", 0, max(0, first - BEFORE)) + 1 if first > BEFORE else 0
    end = min(len(text), max(start + SNIPPET_CHARACTERS, whole))
    if end < len(text):
        end = max(text.rfind(" ", first, end), whole)
    pieces = spans(text[start:end], [(left - start, right - start) for left, right in ranges])
    return [*([Piece("… ")] if start else []), *pieces, *([Piece(" …")] if end < len(text) else [])]


def _best_start(text: str, wanted: set[str]) -> int:
    """Where a window of snippet size covers the most different wanted words; moved back to a word border."""
    places = [(m.start(), stem(m.group())) for m in WORD.finditer(text) if stem(m.group()) in wanted]
    if not places or len(text) <= SNIPPET_CHARACTERS:
        return 0
    best = max(
        places,
        key=lambda place: (
            len({word for at, word in places if place[0] <= at < place[0] + SNIPPET_CHARACTERS - 60}),
            -place[0],
        ),
    )
    return text.rfind(" ", 0, max(0, best[0] - 50)) + 1 if best[0] > 50 else 0
