"""In how many threads something small is computed.

torch keeps a team of threads for every thread that calls it. Where all of them are more than the processor's
cores, those of a team sleep between two calls and are woken by each: 50 µs for what takes 3.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import torch

SEEN = 2  # measurements of each way before one is preferred
LATELY = 0.3  # share of the last measurement
TRIED, SELDOM = 32, 2000  # steps after which the slower way is tried again: at least, at most
WORTH = 0.01  # share of the time that trying it may take

Made = TypeVar("Made")
_making = Lock()


def lone_thread(name: str) -> ThreadPoolExecutor:
    """A thread in which torch computes on one core.

    To be made where a model is loaded: another thread that calls torch for the first time in the microseconds
    that this takes keeps one core too.
    """
    with _making:
        cores, thread = torch.get_num_threads(), ThreadPoolExecutor(1, thread_name_prefix=name)
        thread.submit(torch.get_num_threads).result()  # the first call in a thread sets what all begin with
        thread.submit(torch.set_num_threads, 1).result()
        torch.set_num_threads(cores)  # for other threads; that one keeps its own
    return thread


def submitted(thread: ThreadPoolExecutor, work: Callable[[], Made]) -> "Future[Made] | None":
    """None where the process ends and takes no more: then it is to be done where it is needed."""
    try:
        return thread.submit(work)
    except RuntimeError:
        return None


class Cores:
    """Computes a small step on one core or in this thread, on all of them, by what took less lately."""

    def __init__(self) -> None:
        self._alone = lone_thread("step")
        self._ways: dict[int, Ways] = {}

    def run(self, rows: int, work: Callable[[], Made]) -> Made:
        """rows: of the step's products. Steps with about as many are compared."""
        if torch.get_num_threads() == 1:
            return work()
        ways = self._ways.setdefault(rows.bit_length(), Ways())
        is_alone = ways.is_alone()
        began = time.perf_counter()
        future = submitted(self._alone, work) if is_alone else None
        made = future.result() if future is not None else work()
        ways.add(time.perf_counter() - began, is_alone=is_alone)
        return made


class Ways:
    """How long steps took on one core and on all; pure."""

    def __init__(self) -> None:
        self._seconds = {True: 0.0, False: 0.0}
        self._counts = {True: 0, False: 0}
        self._since = 0  # steps since the slower way was tried

    def is_alone(self) -> bool:
        """Whether the next step is computed on one core."""
        least = min(self._counts.values())
        if least < SEEN:
            return self._counts[True] == least
        is_due = self._since >= self._interval()
        return self._is_quicker_alone() != is_due

    def add(self, seconds: float, *, is_alone: bool) -> None:
        is_known = self._counts[is_alone] > 0
        before = self._seconds[is_alone] if is_known else seconds
        self._since = self._since + 1 if is_alone == self._is_quicker_alone() else 0
        self._seconds[is_alone] = before + LATELY * (seconds - before)
        self._counts[is_alone] += 1

    def _is_quicker_alone(self) -> bool:
        return self._seconds[True] <= self._seconds[False]

    def _interval(self) -> float:
        quicker, slower = sorted(self._seconds.values())
        loss = slower / max(quicker, 1e-9) - 1
        return min(SELDOM, max(TRIED, loss / WORTH))
