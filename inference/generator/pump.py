"""Runs a producer of text in a thread of its own, so that nothing it waits for can hold up the reader.

And the other way round: a reader who stalls (a slow browser) never holds the model's turn.
"""

import time
from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from inference.errors import Cancelled, InferenceError, TooSlow, Unavailable
from inference.generator import Usage

POLL_SECONDS = 0.05

Put = Callable[[str], None]
Gone = Callable[[], bool]
Produce = Callable[[Put, Gone], None]


class Pumped:
    """A stream whose pieces a producer puts. The producer begins when the first piece is asked for."""

    def __init__(
        self, produce: Callable[["Pumped", Put, Gone], None], cancelled: Gone, deadline_seconds: float
    ) -> None:
        self._usage: dict[str, Any] = {}
        self._began: float | None = None
        self._pieces = pump(lambda put, gone: produce(self, put, gone), cancelled, deadline_seconds)

    @property
    def usage(self) -> Usage:
        return Usage(**self._usage)

    def tell(self, **known: float) -> None:
        """Fields of the usage; any thread may call this."""
        self._usage = {**self._usage, **known}

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._began is None:
            self._began = time.monotonic()
        piece = next(self._pieces)
        if "seconds_to_first_token" not in self._usage:
            self.tell(seconds_to_first_token=time.monotonic() - self._began)
        return piece

    def close(self) -> None:
        self._pieces.close()


def pump(produce: Produce, cancelled: Callable[[], bool], deadline_seconds: float) -> Generator[str]:
    """What `produce` puts. It must end soon after gone() is true; what it raises is raised here."""
    pieces: SimpleQueue[str | BaseException | None] = SimpleQueue()
    closed = Event()
    end = time.monotonic() + deadline_seconds

    def gone() -> bool:
        return closed.is_set() or time.monotonic() > end

    def run() -> None:
        try:
            produce(pieces.put, gone)
        except BaseException as error:  # noqa: BLE001  it is raised again in the reader's thread
            pieces.put(error)
        else:
            pieces.put(None)

    # No daemon: a process that ends in the midst of native code is aborted, not ended.
    Thread(target=run, name="generation").start()
    try:
        yield from _read(pieces, cancelled, end, deadline_seconds)
    finally:
        closed.set()


def _read(
    pieces: SimpleQueue[str | BaseException | None], cancelled: Callable[[], bool], end: float, limit: float
) -> Iterator[str]:
    error: type[Unavailable] = Unavailable  # as long as nothing has come it may as well be down
    while True:
        if cancelled():
            raise Cancelled
        if time.monotonic() > end:
            raise error(f"The answer took longer than {limit:g} seconds.")
        try:
            piece = pieces.get(timeout=POLL_SECONDS)
        except Empty:
            continue
        if piece is None:
            return
        if isinstance(piece, BaseException):
            _raise(piece)
        else:
            error = TooSlow
            yield piece


def _raise(error: BaseException) -> None:
    if isinstance(error, Cancelled):
        return  # the producer noticed the deadline first; the reader does so now
    if isinstance(error, InferenceError):
        raise error
    raise InferenceError(f"The model failed: {error}") from error
