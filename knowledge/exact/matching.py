"""Whether a version fulfils a query, and where: on the arrays of its Wording, without reading its text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from knowledge.exact.reading import Ints
from knowledge.query.tree import And, Field, Literal, Near, Node, Not, Or
from knowledge.query.words import is_wild

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Spans:
    """Stretches of words: the first and the last word of each, in order of the first."""

    first: Ints
    last: Ints

    def __len__(self) -> int:
        return len(self.first)

    def where(self, mask: Mask) -> "Spans":
        return Spans(self.first[mask], self.last[mask])


NOWHERE = Spans(np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass
class Reader:
    """The words of one version."""

    terms: str  # of the Wording, with a space before and after
    ids: NDArray[np.uint32]
    begins: Mapping[str, Ints]  # "s" and "p": the words that begin a sentence, a paragraph
    holds: Mapping[Field, bool] = field(default_factory=dict)  # what is known about its document
    found: dict[str, Ints] = field(default_factory=dict)

    def places(self, pattern: str) -> Ints:
        """The words that a pattern stands for, in order."""
        if pattern not in self.found:
            numbers = list(_wild(pattern, self.terms) if is_wild(pattern) else _plain(pattern, self.terms))
            found = np.isin(self.ids, numbers) if len(numbers) > 1 else self.ids == (numbers or [-1])[0]
            self.found[pattern] = np.flatnonzero(found)
        return self.found[pattern]


def match(node: Node, reader: Reader) -> Spans | None:
    """The places that fulfil the query; None where the version does not. What is not text has no places."""
    match node:
        case Literal():
            return _some(_literal(node, reader))
        case Near():
            return _some(_near(node, reader))
        case Field():
            return NOWHERE if reader.holds[node] else None
        case Not(part):
            return NOWHERE if match(part, reader) is None else None
        case And(parts):
            found = [each for part in parts if (each := match(part, reader)) is not None]
            return _union(found) if len(found) == len(parts) else None
        case Or(parts):
            found = [each for part in parts if (each := match(part, reader)) is not None]
            return _union(found) if found else None


def _plain(word: str, terms: str) -> Iterator[int]:
    """The number of a word among the terms."""
    at = terms.find(f" {word} ")
    if at >= 0:
        yield terms.count(" ", 0, at)


def _wild(pattern: str, terms: str) -> Iterator[int]:
    number = last = 0
    for found in expression(pattern).finditer(terms):
        number += terms.count(" ", last, found.start())
        last = found.start()
        yield number


@lru_cache(maxsize=1_000)
def expression(pattern: str) -> re.Pattern[str]:
    """Of a word with wildcards, between its spaces: * is any number of characters, ? exactly one.

    What stands between two stars has a fixed length, so its first place is as good as any: atomic groups keep
    the expression from trying the others, which would take for ever in a long word.
    """
    first, *others = ("".join(map(_character, part)) for part in re.split(r"\*+", pattern))
    between = "".join(f"(?>[^ ]*?{part})" for part in others[:-1])
    return re.compile(f" {first}{between}{'[^ ]*' + others[-1] if others else ''}(?= )")


def _character(character: str) -> str:
    return "[^ ]" if character == "?" else re.escape(character)


def _literal(node: Literal, reader: Reader) -> Spans:
    first = reader.places(node.words[0])
    for offset, word in enumerate(node.words[1:], start=1):
        if not len(first):
            return NOWHERE
        first = first[np.isin(first + offset, reader.places(word), assume_unique=True)]
    return Spans(first, first + len(node.words) - 1)


def _near(node: Near, reader: Reader) -> Spans:
    """The places of each side that have one of the other side in reach."""
    left, right = _spans(node.left, reader), _spans(node.right, reader)
    if not len(left) or not len(right):
        return NOWHERE
    if isinstance(node.reach, int):
        return _union([*_within(left, right, node.reach, is_ordered=node.is_ordered)])
    units = reader.begins[node.reach]
    return _union([*_together(left, right, units, is_ordered=node.is_ordered)])


def _spans(node: Node, reader: Reader) -> Spans:
    return match(node, reader) or NOWHERE


def _within(left: Spans, right: Spans, words: int, *, is_ordered: bool) -> Iterator[Spans]:
    """Those that end at most so many words before the other begins."""
    yield left.where(_followed(left, right, words))
    yield right.where(_follows(right, left, words))
    if not is_ordered:
        yield left.where(_follows(left, right, words))
        yield right.where(_followed(right, left, words))


def _followed(these: Spans, others: Spans, words: int) -> Mask:
    """Which of these are followed by another within so many words."""
    begin = np.searchsorted(others.first, these.last + 1)
    return np.searchsorted(others.first, these.last + words, side="right") > begin


def _follows(these: Spans, others: Spans, words: int) -> Mask:
    ends = np.sort(others.last)
    return np.searchsorted(ends, these.first) > np.searchsorted(ends, these.first - words)


def _together(left: Spans, right: Spans, units: Ints, *, is_ordered: bool) -> Iterator[Spans]:
    """Those that begin in one unit with another that stands after or before them, not across them."""
    yield left.where(_before_in_unit(left, right, units))
    yield right.where(_after_in_unit(right, left, units))
    if not is_ordered:
        yield left.where(_after_in_unit(left, right, units))
        yield right.where(_before_in_unit(right, left, units))


def _before_in_unit(these: Spans, others: Spans, units: Ints) -> Mask:
    """Which of these end before another of the same unit begins."""
    mine, theirs = _unit(these, units), _unit(others, units)
    latest = others.first[np.maximum(np.searchsorted(theirs, mine, side="right") - 1, 0)]
    return np.isin(mine, theirs) & (latest > these.last)


def _after_in_unit(these: Spans, others: Spans, units: Ints) -> Mask:
    """Which of these begin after another of the same unit ended."""
    mine, theirs = _unit(these, units), _unit(others, units)
    ends = np.full(len(units) + 1, np.iinfo(np.int64).max)
    np.minimum.at(ends, theirs, others.last)
    return ends[mine] < these.first


def _unit(spans: Spans, units: Ints) -> Ints:
    """The sentence or paragraph in which each span begins."""
    return np.searchsorted(units, spans.first, side="right")


def _some(spans: Spans) -> Spans | None:
    return spans if len(spans) else None


def _union(found: Sequence[Spans]) -> Spans:
    """All spans in order, each once."""
    if len(found) == 1:
        return found[0]
    both = np.stack(
        [np.concatenate([each.first for each in found]), np.concatenate([each.last for each in found])]
    )
    first, last = np.unique(both, axis=1)
    return Spans(first, last)
