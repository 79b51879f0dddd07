"""The reading plan: which documents the generator reads in full, which by passage, which not at all.

Pure: numbers in, numbers out. Ranked passages and the length of each document are given; the plan fits the
token budget, repeats nothing and says what it left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

# Tokens a source costs beside its text: its number, the document's name, the page.
HEADER_TOKENS = 24


@dataclass(frozen=True)
class Candidate:
    """A ranked passage. `tokens` is what its text costs the generator."""

    passage_id: UUID
    version_id: UUID
    start: int
    end: int
    tokens: int


@dataclass(frozen=True)
class Plan:
    budget: int
    used: int
    full: tuple[UUID, ...] = ()  # versions read from the first character to the last
    passages: tuple[Candidate, ...] = ()
    left_out: tuple[UUID, ...] = field(default=())  # versions with a hit that did not fit at all


def plan(candidates: Sequence[Candidate], lengths: Mapping[UUID, int], budget: int) -> Plan:
    """Choose what to read.

    A document is read in full where evidence concentrates in it and it fits into what the best passages of
    the others leave over; otherwise its passages are read, best first, while they fit. Where not even the
    best passage fits, its beginning is read.
    """
    order = _by_evidence(candidates)
    full: list[UUID] = []
    used = 0
    for version in order:
        reserve = _reserve(candidates, {*full, version})
        cost = lengths[version] + HEADER_TOKENS
        if used + cost + reserve <= budget:
            full.append(version)
            used += cost
    passages: list[Candidate] = []
    for candidate in candidates:
        cost = candidate.tokens + HEADER_TOKENS
        if candidate.version_id not in full and used + cost <= budget:
            passages.append(candidate)
            used += cost
    if candidates and not full and not passages and budget > 2 * HEADER_TOKENS:
        passages.append(_clipped(candidates[0], budget - HEADER_TOKENS))
        used = budget
    read = {*full, *(passage.version_id for passage in passages)}
    left_out = tuple(version for version in order if version not in read)
    return Plan(budget, used, tuple(full), tuple(passages), left_out)


def _clipped(candidate: Candidate, tokens: int) -> Candidate:
    """The beginning of a passage that is larger than the whole budget; a tenth is left for inexactness."""
    characters = int((candidate.end - candidate.start) * 0.9 * tokens / candidate.tokens)
    return replace(candidate, end=candidate.start + characters, tokens=tokens)


def _by_evidence(candidates: Sequence[Candidate]) -> list[UUID]:
    """Versions by the weight of their hits: a hit counts the less the lower it ranks."""
    weights: dict[UUID, float] = {}
    for rank, candidate in enumerate(candidates):
        weights[candidate.version_id] = weights.get(candidate.version_id, 0.0) + 1 / (rank + 1)
    return sorted(weights, key=lambda version: -weights[version])


def _reserve(candidates: Sequence[Candidate], full: set[UUID]) -> int:
    """Tokens kept for the two best passages of documents that are not read in full."""
    others = [candidate for candidate in candidates if candidate.version_id not in full]
    return sum(candidate.tokens + HEADER_TOKENS for candidate in others[:2])
