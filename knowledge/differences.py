"""Sources that differ: quotes of two documents that say the same thing with another date or amount."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

from knowledge import facts, highlight
from knowledge.models import Citation

KINDS = ("date", "money", "percent", "time")  # other numbers are too often those of clauses
LEAST_ALIKE = 0.4  # of the words of the shorter quote, without its values, that the other has too
LEAST_WORDS = 3


class Quoted(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def quote(self) -> str: ...


@dataclass(frozen=True)
class Difference:
    """Two quotes by their numbers, and what each of them says."""

    one: int
    other: int
    values: tuple[str, str]


def of(citations: Iterable[Citation]) -> list[Difference]:
    return among([(row.version.document_id, row) for row in citations])


def among(quotes: Sequence[tuple[Hashable, Quoted]]) -> list[Difference]:
    """The pairs that differ; each quote comes with the document that it is from."""
    pairs = combinations(quotes, 2)
    return [
        difference
        for (document, one), (other_document, other) in pairs
        if document != other_document
        for difference in _between(one, other)
    ]


def _between(one: Quoted, other: Quoted) -> Iterator[Difference]:
    """At most one for a pair: the first kind of value that both have and share none of."""
    if not _is_about_the_same(one.quote, other.quote):
        return
    for kind in KINDS:
        mine, theirs = ([f for f in facts.values(q.quote) if f.kind == kind] for q in (one, other))
        if mine and theirs and not _keys(mine) & _keys(theirs):
            yield Difference(one.number, other.number, (mine[0].text, theirs[0].text))
            return


def _is_about_the_same(one: str, other: str) -> bool:
    words = [highlight.terms(_without_values(text)) for text in (one, other)]
    common = words[0] & words[1]
    return len(common) >= LEAST_WORDS and len(common) >= LEAST_ALIKE * min(map(len, words))


def _without_values(text: str) -> str:
    pieces, at = [], 0
    for fact in facts.values(text):
        pieces.append(text[at : fact.start])
        at = fact.end
    return "".join([*pieces, text[at:]])


def _keys(found: Sequence[facts.Fact]) -> set[facts.Key]:
    return {key for fact in found for key in fact.keys}
