"""What the provider of single sign-on publishes of itself, its description and its keys, kept for a while.

Each process keeps its own. A key that is not known is asked for again, because providers change theirs, but
not more than once a minute: a false token must not make this service a hammer.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

KEPT_SECONDS = 3600.0
AGAIN_SECONDS = 60.0

_lock = Lock()
_kept: dict[str, tuple[float, Any]] = {}


def read(url: str, fetch: Callable[[str], Any]) -> Any:
    """What stands there, as it was within the hour."""
    return _read(url, fetch, KEPT_SECONDS)


def read_again(url: str, fetch: Callable[[str], Any]) -> Any:
    """What stands there now, or stood within the minute."""
    return _read(url, fetch, AGAIN_SECONDS)


def forget() -> None:
    with _lock:
        _kept.clear()


def _read(url: str, fetch: Callable[[str], Any], seconds: float) -> Any:
    """A failure is kept by nobody; two who come at once may both fetch."""
    with _lock:
        at, found = _kept.get(url, (float("-inf"), None))
    if time.monotonic() - at < seconds:
        return found
    found = fetch(url)
    with _lock:
        _kept[url] = (time.monotonic(), found)
    return found
