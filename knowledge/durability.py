"""Commits that need not survive a power cut by themselves, because the next one that must takes them along.

A worker notes its progress and stores what it has read in a dozen transactions; each would wait for the disk.
Should the power fail before the one that ends the job, the job is done again. A crash of the process alone
loses nothing. For SQLite only, which ends with its worker: a server that fails alone must not forget what a
worker that goes on takes for stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def relaxed() -> Iterator[None]:
    """Commits of this thread do not wait for the disk in this block. Not inside of a transaction.

    A commit after the block makes these durable too: all are in the same log, in their order.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:  # where the pragma does nothing
        yield
        return
    _synchronous("NORMAL")
    try:
        yield
    finally:
        if connection.connection is not None:  # a new connection is strict by itself
            _synchronous("FULL")


def _synchronous(mode: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA synchronous={mode}")
