"""Whether who asked is still there: what is written for one reader stops when that reader has gone."""

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

from django.http import HttpRequest

from knowledge.bodies import Application, Message, Receive, Send

HUNG_UP = "Whoever asked has hung up."
GONE = "pincite.gone"  # in the scope: an Event that is set when the caller hangs up


def watched(application: Application) -> Application:
    """The application with an ear at the line, also while it does not listen itself."""

    async def listening(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        line = _Line(receive)
        ear = asyncio.create_task(line.listen())
        try:
            await application({**scope, GONE: line.gone}, line.receive, send)
        finally:
            ear.cancel()
            with suppress(asyncio.CancelledError):
                await ear

    return listening


def within(application: Application, scope: MutableMapping[str, Any]) -> Application:
    """The application for calls that are made while another is answered: their caller is that one's."""

    async def told(inner: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await application({**inner, GONE: scope[GONE]} if GONE in scope else inner, receive, send)

    return told


def gone(request: HttpRequest) -> Callable[[], bool]:
    """Asks whether the caller has hung up; who cannot be heard counts as there."""
    event: threading.Event | None = getattr(request, "scope", {}).get(GONE)
    return (lambda: False) if event is None else event.is_set


class _Line:
    def __init__(self, receive: Receive) -> None:
        self.gone = threading.Event()
        self._receive = receive
        self._heard: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)

    async def listen(self) -> None:
        """One message ahead, so that a large body waits outside."""
        while not self.gone.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
            await self._heard.put(message)

    async def receive(self) -> Message:
        if self.gone.is_set() and self._heard.empty():
            return {"type": "http.disconnect"}
        return await self._heard.get()
