"""Widening a passage to what it belongs to: its whole clause, or else its neighbours. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

WIDEST = 2_400  # characters


@dataclass(frozen=True)
class Place:
    """Where a passage stands, and the path of headings above it."""

    start: int
    end: int
    heading: str


def widened(place: Place, around: Sequence[Place]) -> tuple[int, int]:
    """The span of the clause that the passage is of; of a clause that is a single passage, or of text without
    headings, the passage with its neighbours. `around` is in order and has the passage itself.

    What would become wider than WIDEST grows towards the end first: there stand the exceptions.
    """
    at = bisect_left([other.start for other in around], place.start)
    after = bisect_right([other.start for other in around], place.start)
    clause = _run(place, around[after:]), _run(place, around[:at][::-1])
    if not place.heading or not any(clause):
        clause = list(around[after : after + 1]), list(around[max(0, at - 1) : at])
    start, end = place.start, place.end
    for other in clause[0]:
        if other.end - start <= WIDEST:
            end = max(end, other.end)
    for other in clause[1]:
        if end - other.start <= WIDEST:
            start = min(start, other.start)
    return start, end


def _run(place: Place, others: Sequence[Place]) -> list[Place]:
    """Those that follow without a break under the same heading."""
    run: list[Place] = []
    for other in others:
        if other.heading != place.heading:
            break
        run.append(other)
    return run
