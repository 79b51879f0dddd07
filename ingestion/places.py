"""Places at work: as many jobs as the machine is given to do at once (`PINCITE_WORKERS`).

A job that only waits for the disk lends its place to another one meanwhile; there are more threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, local

from django.conf import settings

THREADS_EACH = 4

_places = BoundedSemaphore(settings.WORKERS)
_mine = local()  # has .held where this thread has a place


@contextmanager
def held() -> Iterator[None]:
    """Have a place in this block; wait for one."""
    with _places:
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


@contextmanager
def lent() -> Iterator[None]:
    """Let another job have the place in this block, and wait for one after it. Nothing without a place."""
    if not getattr(_mine, "held", False):
        yield
        return
    _places.release()
    try:
        yield
    finally:
        _places.acquire()
