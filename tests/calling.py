"""The typed client over the service in this very process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from knowledge.client import Client
from knowledge.models import ApiToken


@contextmanager
def calling(user: User, patience: float = 0.0, refusals: int = 0, **limits: Any) -> Iterator[Client]:
    """In this person's name; the first calls are one too many each."""
    transport = _Full(refusals)
    token = ApiToken.issue(user, "test", **limits)
    with Client("http://localhost", token, patience=patience, transport=transport) as made:
        yield made


class _Full(httpx.WSGITransport):
    def __init__(self, refusals: int) -> None:
        super().__init__(_answer)
        self._refusals = refusals

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self._refusals:
            return super().handle_request(request)
        self._refusals -= 1
        return httpx.Response(429, headers={"Retry-After": "0"}, json={"detail": "Too many calls."})


def _answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """As in Django's own test client, the database connection outlives each call."""
    signals = (request_started, request_finished)
    taken = [each for each in signals if each.disconnect(close_old_connections)]
    try:
        response = get_wsgi_application()(environ, start)
        content = b"".join(response)
        response.close()
        return [content]
    finally:
        for signal in taken:
            signal.connect(close_old_connections)
