"""Emptying the tables between tests, which the audit's triggers refuse as they should."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations

from knowledge import holds
from knowledge.audit import triggers


@contextmanager
def emptying() -> Iterator[None]:
    """Django's flush, with the triggers away for its duration; in force at any other time."""
    plain = BaseDatabaseOperations.execute_sql_flush

    def flush(self, statements):
        triggers.remove(connection)
        holds.remove(connection)
        try:
            plain(self, statements)
        finally:
            triggers.install(connection)
            holds.install(connection)

    BaseDatabaseOperations.execute_sql_flush = flush
    try:
        yield
    finally:
        BaseDatabaseOperations.execute_sql_flush = plain
