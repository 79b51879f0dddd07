"""When the pieces of an answer came; the library calls it a streamer."""

import time
from itertools import pairwise
from typing import Any

import torch


class Watch:
    def __init__(self) -> None:
        self._times: list[float] = []
        self._tokens: list[int] = []

    def put(self, piece: Any) -> None:
        """First the prompt, then a token or several at once."""
        self._times.append(time.perf_counter())
        self._tokens.append(torch.as_tensor(piece).numel())

    def end(self) -> None:
        pass

    def gaps(self) -> list[float]:
        """Seconds between pieces, from the second on: what is done after the first belongs to the prompt."""
        return [after - before for before, after in pairwise(self._times[2:])]

    def pace(self) -> float:
        """Seconds a token, behind the first piece."""
        return (self._times[-1] - self._times[1]) / sum(self._tokens[2:])
