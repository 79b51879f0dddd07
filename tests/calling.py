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
def calling(user: User, patience: float = 0.0, **limits: Any) -> Iterator[Client]:
    """In this person's name."""
    transport = httpx.WSGITransport(_answer)
    token = ApiToken.issue(user, "test", **limits)
    with Client("http://localhost", token, patience=patience, transport=transport) as made:
        yield made


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
