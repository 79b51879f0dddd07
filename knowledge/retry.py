"""When to come back for what could not be done just now: Retry-After (RFC 9110), in whole seconds."""

from math import ceil
from typing import TypeVar

from django.db import OperationalError
from django.http.response import HttpResponseBase

from inference.errors import Unavailable
from knowledge.index import IndexUnavailable
from knowledge.pictures import Busy

R = TypeVar("R", bound=HttpResponseBase)
USUAL_SECONDS = 5  # where the part that is down does not say
PASSING = (Unavailable, IndexUnavailable, OperationalError, Busy)


def seconds(error: Exception) -> int | None:
    """Rounded up; None where waiting will not help: a missing model, a refused key."""
    if not isinstance(error, PASSING):
        return None
    told = error.retry_after if isinstance(error, Unavailable) else None
    return USUAL_SECONDS if told is None else ceil(told)


def after(response: R, wait: int | None) -> R:
    """The response, with its header where there is something to wait for."""
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response
