"""A lock that a busy thread cannot take again before those who wait for it."""

from threading import Lock
from types import TracebackType


class Turns:
    """A plain lock is unfair: a long job that releases and retakes it between batches starves the others.

    Whoever waits holds the gate, and everyone must pass the gate first.
    """

    def __init__(self) -> None:
        self._gate = Lock()
        self._turn = Lock()

    def __enter__(self) -> None:
        with self._gate:
            self._turn.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn.release()
