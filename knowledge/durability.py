"""Commits that need not survive a power cut by themselves, because the next one that must takes them along.

A worker notes its progress and stores what it has read in a dozen transactions; each would wait for the disk.
Should the power fail before the one that ends the job, the job is done again. A crash of the process alone
loses nothing either way.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_RELAXED = {"sqlite": "PRAGMA synchronous=NORMAL", "postgresql": "SET synchronous_commit TO off"}
_STRICT = {"sqlite": "PRAGMA synchronous=FULL", "postgresql": "RESET synchronous_commit"}


@contextmanager
def relaxed() -> Iterator[None]:
    """Commits of this thread do not wait for the disk in this block. Not inside of a transaction.

    A commit after the block makes these durable too: both databases write them into the same log before it.
    """
    if connection.in_atomic_block:  # SQLite would ignore it there
        yield
        return
    _say(_RELAXED)
    try:
        yield
    finally:
        if connection.connection is not None:  # a new connection is strict by itself
            _say(_STRICT)


def _say(statements: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor])
