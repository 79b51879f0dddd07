"""The arithmetic of retrieval quality over spans of characters. Pure: numbers in, numbers out.

Precision and recall are those of LegalBench-RAG (arXiv 2408.10343): characters of the gold spans among the
characters retrieved. Document mismatch is that of arXiv 2510.06999.
"""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000  # of the bootstrap
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` (exclusive) of a file."""

    file: str
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def common(self, other: "Span") -> int:
        """How many characters both have."""
        if self.file != other.file:
            return 0
        return max(0, min(self.end, other.end) - max(self.start, other.start))


def precision(found: Sequence[Span], gold: Sequence[Span]) -> float:
    """The share of the retrieved characters that are gold; 0 when nothing was retrieved."""
    retrieved = sum(span.length for span in found)
    return _shared(found, gold) / retrieved if retrieved else 0.0


def recall(found: Sequence[Span], gold: Sequence[Span]) -> float:
    """The share of the gold characters that were retrieved; a character found twice counts once."""
    wanted = sum(span.length for span in merged(gold))
    return _shared(found, gold) / wanted if wanted else 0.0


def wrong_documents(found: Sequence[Span], files: Set[str]) -> float:
    """The share of the retrieved spans that are from another file."""
    return sum(span.file not in files for span in found) / len(found) if found else 0.0


def touching(found: Sequence[Span], gold: Sequence[Span]) -> list[bool]:
    """Of each retrieved span, whether it touches gold."""
    return [any(span.common(wanted) for wanted in gold) for span in found]


def hit(found: Sequence[Span], gold: Sequence[Span]) -> float:
    """1 when any retrieved span touches gold."""
    return float(any(touching(found, gold)))


def reciprocal_rank(found: Sequence[Span], gold: Sequence[Span]) -> float:
    """1 / rank of the first span that touches gold; 0 when none does."""
    touches = touching(found, gold)
    return 1 / (1 + touches.index(True)) if True in touches else 0.0


def ndcg(grades: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """Normalised discounted cumulative gain of the first k: gain 2^grade − 1, discount log2(rank + 1).

    `grades` are those of the results in their order, `ideal` those of everything that could be found.
    """
    best = _gain(sorted(ideal, reverse=True)[:k])
    return _gain(grades[:k]) / best if best else 0.0


def within(found: Sequence[Span], characters: int) -> list[Span]:
    """The first spans, as many as fit into this many characters; the last is clipped at the limit."""
    taken: list[Span] = []
    room = characters
    for span in found:
        if room <= 0:
            break
        taken.append(Span(span.file, span.start, min(span.end, span.start + room)))
        room -= taken[-1].length
    return taken


def merged(spans: Sequence[Span]) -> list[Span]:
    """The same characters as spans that do not overlap."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.file, each.start, each.end)):
        last = joined[-1] if joined else None
        if last and last.file == span.file and span.start <= last.end:
            joined[-1] = Span(last.file, last.start, max(last.end, span.end))
        else:
            joined.append(span)
    return joined


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def interval(groups: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """The bootstrap interval of the mean of the groups' means: each group is drawn anew in itself."""
    random = np.random.default_rng(seed)
    means = [_drawn_means(np.asarray(group, dtype=np.float64), random) for group in groups if len(group)]
    if not means:
        return 0.0, 0.0
    low, high = np.quantile(np.mean(means, axis=0), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _shared(found: Sequence[Span], gold: Sequence[Span]) -> int:
    return sum(span.common(wanted) for span in merged(found) for wanted in merged(gold))


def _gain(grades: Sequence[float]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _drawn_means(values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """(DRAWS,)"""
    drawn: NDArray[np.float64] = values[random.integers(len(values), size=(DRAWS, len(values)))].mean(axis=1)
    return drawn
