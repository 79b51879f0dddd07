"""How many tokens of a prompt one step reads: as many as take about so long, by what the last steps took.

Large chunks read faster; small ones let the answers beside them go on, and a caller who went be dropped
between two layers within a tenth of a second. What is right depends on the machine and on what else it does.
"""

ALONE_SECONDS = 1.5  # a step of a model with 30 layers then looks up every 50 ms
BESIDE_SECONDS = 0.5
TELLING = 100  # tokens: the speed of smaller steps says little about larger ones
KEPT = 0.5  # of what was measured before, when something new is
LEAST = 32


class Pace:
    def __init__(self, first: int, alone: int, beside: int) -> None:
        """first: tokens while nothing was measured. The others: at most, alone and beside other answers."""
        self._first, self._alone, self._beside = first, alone, beside
        self._rate: float | None = None  # tokens a second

    def add(self, tokens: int, seconds: float) -> None:
        """A step took so long."""
        if tokens >= TELLING:
            rate = tokens / max(seconds, 1e-6)
            self._rate = rate if self._rate is None else KEPT * self._rate + (1 - KEPT) * rate

    def tokens(self, *, is_alone: bool) -> int:
        most = self._alone if is_alone else self._beside
        if self._rate is None:
            return min(self._first, most)
        wanted = int(self._rate * (ALONE_SECONDS if is_alone else BESIDE_SECONDS))
        return min(most, max(LEAST, wanted))
