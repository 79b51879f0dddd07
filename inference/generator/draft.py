"""Guessing what comes next: an answer that quotes goes on as the text went on where the same words stood.

A guess costs its rows in one step and saves the steps of those tokens that hold; the text stays the same.
It is as long as pays best by what rows cost here and by how often such tokens have held in this answer.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from statistics import median

import numpy as np

from inference.generator.prefixes import tokens_of

LONGEST = 32  # tokens of agreement that are compared
MOST = 47  # tokens of a guess
ROW = 0.08  # of a step, for each row more, while it is not measured
TRUSTED = 3  # measurements that count
# How often the next token holds where so many before it, or more, agree: at first. Learned as it is written.
HOLDS = {1: 0.2, 2: 0.4, 3: 0.6, 5: 0.75, 9: 0.85, 17: 0.9}
LEARNS = 0.05  # how far one token moves it
ALLOWED = 0.5  # steps that guessing may lose before it has won any
SHARE = 0.015  # and of all steps of the answer


class Costs:
    """What each row more costs, in steps with one row: measured, by the engine that makes them."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=15)  # seconds, of those with one row
        self._rows: deque[float] = deque(maxlen=31)
        self._row = ROW

    def add(self, rows: int, seconds: float) -> None:
        if rows == 1:
            self._steps.append(seconds)
        elif len(self._steps) >= TRUSTED:
            self._rows.append((seconds / median(self._steps) - 1) / (rows - 1))
            if len(self._rows) >= TRUSTED:
                self._row = max(0.0, median(self._rows))

    def of(self, rows: int) -> float:
        return 1 + self._row * (rows - 1)


class Draft:
    """The guesses of one answer: as long as pays, none while they have cost too much."""

    def __init__(self, ids: Sequence[int], costs: Costs) -> None:
        self._costs = costs
        self._tokens = tokens_of(ids)  # with room behind them
        self._end = len(ids)
        self._place, self._agreed = 0, 0  # how many tokens before the place are those before the end
        self._sizes, self._holds = list(HOLDS), list(HOLDS.values())
        self._won = 0.0
        self._written = 0
        self._is_silent = False

    def add(self, token: int) -> None:
        if self._agreed:
            self._follow(token)
        if self._end == len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens, shape=self._end + 256)])
        self._tokens[self._end] = token
        self._end += 1
        self._written += 1

    def guess(self, limit: int) -> list[int]:
        """Up to `limit` tokens that may come next; none where no place agrees or guessing does not pay."""
        self._look()
        count = self._worth(min(limit, MOST)) if self._agreed else 0
        allowed = max(ALLOWED, SHARE * self._written)
        self._is_silent = count > 0 and self._won < -allowed
        if self._is_silent:
            return []
        period = self._end - self._place
        return [int(self._tokens[self._place + at % period]) for at in range(count)]

    def learn(self, guessed: int, held: int) -> None:
        """Of `guessed` tokens the first `held` were right."""
        self._won += 1 + held - self._costs.of(1 + guessed)

    def _follow(self, token: int) -> None:
        """Whether the place goes on like the answer; said or not, it would have been guessed."""
        is_right = bool(self._tokens[self._place] == token)
        size = self._size(self._agreed)
        self._holds[size] += LEARNS * (is_right - self._holds[size])
        if self._is_silent:  # what guessing one token would have won
            self._won = min(0.0, self._won + 1 + is_right - self._costs.of(2))
        self._agreed = self._agreed + 1 if is_right else 0
        self._place += 1

    def _look(self) -> None:
        """For the place before which most tokens agree; of several, the last."""
        seen = self._tokens[: self._end]
        places = np.flatnonzero(seen[:-1] == seen[-1]) + 1
        self._agreed = min(1, len(places))
        while len(places) and self._agreed < LONGEST:
            self._place = int(places[-1])
            places = places[places > self._agreed]
            places = places[seen[places - 1 - self._agreed] == seen[-1 - self._agreed]]
            self._agreed += min(1, len(places))

    def _worth(self, limit: int) -> int:
        """How many tokens give the most for what their step costs."""
        best, count = 1.0, 0
        chance = expected = 1.0
        for guessed in range(1, limit + 1):
            chance *= self._holds[self._size(self._agreed + guessed - 1)]
            expected += chance
            gain = expected / self._costs.of(1 + guessed)
            if gain > best:
                best, count = gain, guessed
        return count

    def _size(self, agreed: int) -> int:
        return bisect_right(self._sizes, agreed) - 1
