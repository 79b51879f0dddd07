"""Guessing what comes next: an answer that quotes goes on as the text went on where the same words stood.

A guess costs its rows in one step and saves the steps of those tokens that hold; the text stays the same.
"""

from collections import deque
from collections.abc import Sequence
from statistics import median

SEED = 3  # tokens that must agree before a place counts
LONGEST = 24  # tokens of agreement that are compared
PLACES = 256  # places looked at, the latest first: in a contract the same three words stand in every clause
MOST = 15  # tokens of a guess
TRUSTED = 3  # measurements that count
ALLOWED = 0.5  # steps that guessing may lose before it has won any
SHARE = 0.01  # and of all steps of the answer


class Costs:
    """What a step with so many rows takes, in steps with one row: measured, by the engine that makes them."""

    def __init__(self) -> None:
        self._seconds: dict[int, deque[float]] = {}

    def add(self, rows: int, seconds: float) -> None:
        self._seconds.setdefault(_size(rows), deque(maxlen=15)).append(seconds)

    def of(self, rows: int) -> float:
        one, many = self._seconds.get(1, ()), self._seconds.get(_size(rows), ())
        if min(len(one), len(many)) < TRUSTED:
            return 1 + 0.08 * (rows - 1)
        return median(many) / median(one)


class Draft:
    """The guesses of one answer: less when they fail, none when they have cost too much."""

    def __init__(self, ids: Sequence[int], costs: Costs) -> None:
        self._tokens = list(ids)
        self._costs = costs
        self._places: dict[tuple[int, ...], list[int]] = {}
        self._known = 0  # places up to here are in the index
        self._most = 6
        self._needed = SEED
        self._won = 0.0
        self._written = 0

    def add(self, token: int) -> None:
        self._tokens.append(token)
        self._written += 1

    def guess(self, limit: int) -> list[int]:
        """Up to `limit` tokens that may come next; none where no place agrees or guessing does not pay."""
        if limit < 1 or self._won < -max(ALLOWED, SHARE * self._written):
            return []
        self._index()
        end = len(self._tokens)
        places = self._places.get(tuple(self._tokens[end - SEED :]), [])
        agreed, place = max(((self._agreement(p), p) for p in places[-PLACES:] if p < end), default=(0, 0))
        if agreed < self._needed:
            return []
        return self._tokens[place : place + min(limit, self._most)]

    def learn(self, guessed: int, held: int) -> None:
        """Of `guessed` tokens the first `held` were right."""
        self._won += 1 + held - self._costs.of(1 + guessed)
        if held == guessed:
            self._most, self._needed = min(MOST, self._most * 2), SEED
        else:
            self._most = max(2, held + 1)
            self._needed = min(LONGEST, self._needed + 2) if held < guessed / 2 else self._needed

    def _index(self) -> None:
        """The places behind each SEED tokens."""
        for place in range(max(self._known, SEED), len(self._tokens) + 1):
            self._places.setdefault(tuple(self._tokens[place - SEED : place]), []).append(place)
        self._known = len(self._tokens) + 1

    def _agreement(self, place: int) -> int:
        """How many tokens before the place are those before the end."""
        tokens, end = self._tokens, len(self._tokens)
        most = min(LONGEST, place)
        return next((n for n in range(most) if tokens[place - 1 - n] != tokens[end - 1 - n]), most)


def _size(rows: int) -> int:
    """Steps of similar size are measured together."""
    return 1 if rows == 1 else 1 << (rows - 1).bit_length()
