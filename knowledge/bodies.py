"""A limit on request bodies before anything reads them: whatever length is claimed, or none."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


def limited(application: Application, most: int) -> Application:
    """The application behind a limit of `most` bytes a request; more gets 413 and is read no further."""

    async def guarded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
        elif _claimed(scope) > most:
            await _refuse(send, most)
        else:
            await _Guard(receive, send, most).run(application, scope)

    return guarded


class _Guard:
    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._size = 0
        self._has_answered = False

    def _is_over(self) -> bool:
        return self._size > self._most

    async def run(self, application: Application, scope: MutableMapping[str, Any]) -> None:
        await application(scope, self._counted, self._answered)
        if self._is_over() and not self._has_answered:
            await _refuse(self._send, self._most)

    async def _counted(self) -> Message:
        """For the application a body that is too long looks like a caller who hangs up."""
        if self._is_over():
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._size += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self._is_over() else message

    async def _answered(self, message: Message) -> None:
        if not self._is_over() or self._has_answered:
            self._has_answered = True
            await self._send(message)


def _claimed(scope: MutableMapping[str, Any]) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _refuse(send: Send, most: int) -> None:
    detail = f"The request is larger than the limit of {most // (1024 * 1024)} MB."
    problem = {"type": "about:blank", "title": "Content Too Large", "status": 413, "detail": detail}
    body = json.dumps(problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
