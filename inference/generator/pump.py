"""Runs a producer of text in a thread of its own, so that nothing it waits for can hold up the reader.

And the other way round: a reader who stalls (a slow browser) never holds the model's turn.
"""

import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Thread

from inference.errors import Cancelled, InferenceError, Unavailable

POLL_SECONDS = 0.05

Put = Callable[[str], None]
Gone = Callable[[], bool]
Produce = Callable[[Put, Gone], None]


def pump(produce: Produce, cancelled: Callable[[], bool], deadline_seconds: float) -> Iterator[str]:
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
    while True:
        if cancelled():
            raise Cancelled
        if time.monotonic() > end:
            raise Unavailable(f"The answer took longer than {limit:g} seconds.")
        try:
            piece = pieces.get(timeout=POLL_SECONDS)
        except Empty:
            continue
        if piece is None:
            return
        if isinstance(piece, BaseException):
            _raise(piece)
        else:
            yield piece


def _raise(error: BaseException) -> None:
    if isinstance(error, Cancelled):
        return  # the producer noticed the deadline first; the reader does so now
    if isinstance(error, InferenceError):
        raise error
    raise InferenceError(f"The model failed: {error}") from error
