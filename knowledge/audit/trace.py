"""The request that runs now, for the audit: who calls, which matter it opened, what it recorded."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

CREDENTIAL = "pincite.credential"  # in META: the digest of the token this call came with
HOW = "pincite.how"  # in META: by what a person signs in, for the event


@dataclass
class Trace:
    request: HttpRequest
    matter_id: UUID | None = None
    recorded: int = 0
    role: int = 0  # the highest role in a matter that was asked for


_current: ContextVar[Trace | None] = ContextVar("audit", default=None)


def address(request: HttpRequest) -> str:
    """The connection's own; what a header says about it is not believed."""
    return str(request.META.get("REMOTE_ADDR") or "")


def begin(request: HttpRequest) -> None:
    _current.set(Trace(request))


def end() -> Trace | None:
    """What there was to tell of the request that ends."""
    trace = _current.get()
    _current.set(None)
    return trace


def request() -> HttpRequest | None:
    trace = _current.get()
    return trace.request if trace else None


def opened(matter_id: UUID) -> None:
    """Called by `access` for each thing it hands out."""
    trace = _current.get()
    if trace is not None:
        trace.matter_id = matter_id


def needed(role: int) -> None:
    """Called by `access` for each role that it asks for."""
    trace = _current.get()
    if trace is not None:
        trace.role = max(trace.role, role)


def role() -> int:
    """The highest role that was asked for in the request that runs now."""
    trace = _current.get()
    return trace.role if trace else 0


def recorded() -> None:
    trace = _current.get()
    if trace is not None:
        trace.recorded += 1
