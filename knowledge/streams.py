"""Server-sent events: a plain generator runs in its own thread, the event loop passes on what it yields.

When the reader goes away the generator's `cancelled` turns true, and it is closed.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, connection

from knowledge.draft import Event

P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[[Callable[[], bool]], Iterator[Event]]
Allowed = Callable[[], bool]
KEEP_ALIVE_SECONDS = 10.0
RECHECK_SECONDS = 1.0  # so that revocation holds within two


def give_back_connection() -> None:
    """Close this thread's database connection before a stream that may last for minutes."""
    if not connection.in_atomic_block:
        connection.close()


async def in_thread(function: Callable[P, R], *words: P.args, **named: P.kwargs) -> R:
    """Call a function that asks the database; its connection is not held by what is streamed afterwards."""

    def call() -> R:
        try:
            return function(*words, **named)
        finally:
            give_back_connection()

    return await sync_to_async(call)()


def frame(event: Event) -> bytes:
    """One event in the wire format of text/event-stream."""
    return f"event: {event.kind}\ndata: {json.dumps(event.data)}\n\n".encode()


async def server_sent(work: Work, allowed: Allowed) -> AsyncIterator[bytes]:
    """Frames of the events of `work`, with a comment line now and then so that proxies keep the line open.

    Whether the reader is still `allowed` is asked every second; when not, nothing more is sent.
    """
    stream = _Stream(work, asyncio.get_running_loop())
    stream.start()
    watch = asyncio.create_task(_watch(stream, allowed))
    try:
        while (event := await stream.next()) is not _END and not stream.revoked:
            yield frame(event) if isinstance(event, Event) else b": waiting\n\n"
    finally:
        watch.cancel()
        stream.gone.set()


async def _watch(stream: "_Stream", allowed: Allowed) -> None:
    """End the stream as soon as its reader may not read it any more; what cannot be asked counts as no."""
    with suppress(DatabaseError, InterfaceError):
        await asyncio.sleep(RECHECK_SECONDS)
        while await in_thread(allowed):
            await asyncio.sleep(RECHECK_SECONDS)
    stream.revoke()


_END = object()


class _Stream(threading.Thread):
    """Runs `work` and hands its events to the event loop."""

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="answer-stream", daemon=True)
        self.gone = threading.Event()
        self.revoked = False
        self._work = work
        self._loop = loop
        self._queue: asyncio.Queue[object] = asyncio.Queue()

    async def next(self) -> object:
        """The next event, None when none has come for a while, or _END. Raises what `work` raised."""
        try:
            item = await asyncio.wait_for(self._queue.get(), KEEP_ALIVE_SECONDS)
        except TimeoutError:
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def revoke(self) -> None:
        """Stop the work and wake the reader's side, which then sends nothing more."""
        self.revoked = True
        self.gone.set()
        self._queue.put_nowait(_END)

    def run(self) -> None:
        events = self._work(self.gone.is_set)
        try:
            for event in events:
                self._put(event)
                if self.gone.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - it must reach the reader, not die in a thread
            self._put(error)
        finally:
            close = getattr(events, "close", None)
            if close:
                close()
            self._put(_END)

    def _put(self, item: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
