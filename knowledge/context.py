"""The reading plan: which documents the generator reads in full, which by passage, which not at all.

Pure: ranked hits, the length of each document, what a stretch of text costs, a budget. The plan fits the
budget, repeats nothing, and says what it left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

# Tokens a source costs beside its text: the document's name, the page, the joints.
HEADER_TOKENS = 24
MESSAGE_TOKENS = 32  # what a chat template and the joints between sources may cost, for each message
# So many hits are read before any is widened: no clause is read whole at the price of another document's
# answer. At 8 one of the 36 demo questions lost its answer (at 1/6 of all tokens), at 20 none did.
COVERED = 20
BEST = 3  # without one of these a plan falls short
# A document is worth reading in full when it has at least this share of the evidence, or when it costs no
# more than this many times its passages. Chosen with `make bench ONLY=reading`.
CONCENTRATED = 0.25
DEAR = 2.0


@dataclass(frozen=True)
class Stretch:
    """The characters [start, end) of a version's text."""

    version_id: UUID
    start: int
    end: int

    def touches(self, other: "Stretch") -> bool:
        """They overlap, or one begins where the other ends."""
        return self.version_id == other.version_id and self.start <= other.end and other.start <= self.end

    def holds(self, other: "Stretch") -> bool:
        return self.version_id == other.version_id and self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Hit:
    """A ranked passage, and the same widened to its clause and its neighbours."""

    passage: Stretch
    wide: Stretch


@dataclass(frozen=True)
class Whole:
    """A document as the plan sees it. Sorting by `order` is the canonical order."""

    order: str  # its path
    characters: int
    tokens: int
    is_pinned: bool = False


@dataclass(frozen=True)
class Plan:
    budget: int
    used: int = 0
    full: tuple[UUID, ...] = ()  # versions read from the first character to the last, in canonical order
    passages: tuple[Stretch, ...] = ()  # in canonical order
    left_out: tuple[UUID, ...] = field(default=())  # versions with a hit of which nothing is read
    unread: tuple[Stretch, ...] = field(default=())  # passages found that are not read, or not to their end
    too_long: tuple[UUID, ...] = field(default=())  # pinned, but longer than the budget
    is_cut: bool = False  # not even the best passage fitted: only its beginning is read
    is_short: bool = False  # one of the best hits is not read


Cost = Callable[[Stretch], int]


def room(window: int, reserve: int, beside: Sequence[int]) -> int:
    """Tokens for sources in a window, beside messages of so many tokens and an answer of `reserve`.

    Negative where not even these fit.
    """
    return window - reserve - sum(tokens + MESSAGE_TOKENS for tokens in beside)


def plan(hits: Sequence[Hit], wholes: Mapping[UUID, Whole], budget: int, cost: Cost) -> Plan:
    """Choose what to read. `wholes` has the document of every hit, and every pinned one.

    In this order, each while it fits: pinned documents in full; documents in which the evidence concentrates
    in full, as long as the best passages of the others keep their room; the best passages; these widened;
    the other passages. Where not even the best passage fits, its beginning is read.
    """
    reading = _Reading(wholes, budget, cost)
    pinned = sorted((pk for pk, whole in wholes.items() if whole.is_pinned), key=reading.order)
    too_long = [pk for pk in pinned if not reading.read_in_full(pk)]
    for version in _by_evidence(hits):
        if reading.is_worth_it(version, hits):
            reading.read_in_full(version, reading.reserve(version, hits))
    return reading.completed(hits, too_long)


def extend(
    hits: Sequence[Hit], wholes: Mapping[UUID, Whole], budget: int, cost: Cost, held: Sequence[Stretch]
) -> Plan:
    """What a follow-up question reads beside what its conversation has read already: passages only."""
    return _Reading(wholes, budget, cost, held).completed(hits, ())


class _Reading:
    """A plan in the making."""

    def __init__(
        self, wholes: Mapping[UUID, Whole], budget: int, cost: Cost, held: Sequence[Stretch] = ()
    ) -> None:
        self._wholes, self._budget, self._cost, self._held = wholes, budget, cost, held
        self._full: list[UUID] = []
        self._passages: dict[UUID, list[Stretch]] = {}
        self._spent: dict[Stretch, int] = {}
        self._used = 0

    def order(self, version: UUID) -> tuple[bool, str]:
        """Pinned documents first: they are the same for every question, and a prefix is kept for them."""
        return not self._wholes[version].is_pinned, self._wholes[version].order

    def read_in_full(self, version: UUID, reserve: int = 0) -> bool:
        if version in self._full:
            return True
        tokens = self._wholes[version].tokens + HEADER_TOKENS
        if self._used + tokens + reserve > self._budget:
            return False
        self._full.append(version)
        self._used += tokens
        return True

    def is_worth_it(self, version: UUID, hits: Sequence[Hit]) -> bool:
        """Whether the evidence concentrates in this document, or reading it whole costs little more."""
        weights = _weights(hits)
        own = sum(self._price(hit.passage) for hit in hits if hit.passage.version_id == version)
        share = weights[version] / sum(weights.values())
        return share >= CONCENTRATED or self._wholes[version].tokens + HEADER_TOKENS <= DEAR * own

    def reserve(self, version: UUID, hits: Sequence[Hit]) -> int:
        """Tokens kept for the two best passages of documents that are not read in full."""
        full = {*self._full, version}
        others = [hit.passage for hit in hits if hit.passage.version_id not in full]
        return sum(self._price(passage) for passage in others[:2])

    def completed(self, hits: Sequence[Hit], too_long: Sequence[UUID]) -> Plan:
        for stretch in [
            *(hit.passage for hit in hits[:COVERED]),
            *(hit.wide for hit in hits[:COVERED]),
            *(hit.passage for hit in hits[COVERED:]),
        ]:
            self._read(stretch)
        is_cut = self._is_empty(hits) and self._read_beginning(hits[0].passage)
        unread = tuple(hit.passage for hit in hits if not self._holds(hit.passage))
        passages = [each for pk in sorted(self._passages, key=self.order) for each in self._passages[pk]]
        return Plan(
            budget=self._budget,
            used=self._used,
            full=tuple(sorted(self._full, key=self.order)),
            passages=tuple(passages),
            left_out=tuple(pk for pk in _by_evidence(hits) if not self._is_read(pk)),
            unread=unread,
            too_long=tuple(too_long),
            is_cut=is_cut,
            is_short=any(hit.passage in unread for hit in hits[:BEST]),
        )

    def _read(self, stretch: Stretch) -> None:
        """Take a stretch in if it fits, joined with what it touches, without what is read already."""
        if stretch.version_id in self._full:
            return
        for piece in _outside(stretch, self._held):
            before = self._passages.get(piece.version_id, [])
            after = _joined([*before, piece])
            more = sum(map(self._price, after)) - sum(map(self._price, before))
            if self._used + more <= self._budget:
                self._passages[piece.version_id] = after
                self._used += more

    def _read_beginning(self, passage: Stretch) -> bool:
        """The beginning of a passage that is larger than the whole budget; halved until it fits."""
        length = passage.end - passage.start
        while length := length // 2:
            piece = Stretch(passage.version_id, passage.start, passage.start + length)
            self._read(piece)
            if self._passages:
                return True
        return False

    def _is_empty(self, hits: Sequence[Hit]) -> bool:
        return bool(hits) and not self._full and not self._passages and not self._held

    def _is_read(self, version: UUID) -> bool:
        return (
            version in self._full
            or version in self._passages
            or any(stretch.version_id == version for stretch in self._held)
        )

    def _holds(self, passage: Stretch) -> bool:
        own = self._passages.get(passage.version_id, [])
        return passage.version_id in self._full or not _outside(passage, [*own, *self._held])

    def _price(self, stretch: Stretch) -> int:
        if stretch not in self._spent:
            self._spent[stretch] = self._cost(stretch) + HEADER_TOKENS
        return self._spent[stretch]


def _weights(hits: Sequence[Hit]) -> dict[UUID, float]:
    """Versions by the weight of their hits: a hit counts the less the lower it ranks."""
    weights: dict[UUID, float] = {}
    for rank, hit in enumerate(hits):
        version = hit.passage.version_id
        weights[version] = weights.get(version, 0.0) + 1 / (rank + 1)
    return weights


def _by_evidence(hits: Sequence[Hit]) -> list[UUID]:
    weights = _weights(hits)
    return sorted(weights, key=lambda version: -weights[version])


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Stretches of one version in order, those that touch made one."""
    joined: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda each: (each.start, each.end)):
        if joined and joined[-1].touches(stretch):
            last = joined.pop()
            stretch = Stretch(last.version_id, last.start, max(last.end, stretch.end))
        joined.append(stretch)
    return joined


def _outside(stretch: Stretch, held: Sequence[Stretch]) -> list[Stretch]:
    """The parts of a stretch that are not held already."""
    left, start = [], stretch.start
    for other in sorted(held, key=lambda each: each.start):
        if other.version_id != stretch.version_id or other.end <= start or other.start >= stretch.end:
            continue
        if other.start > start:
            left.append(Stretch(stretch.version_id, start, other.start))
        start = max(start, other.end)
    return [*left, Stretch(stretch.version_id, start, stretch.end)] if start < stretch.end else left
