"""The database's own full-text index over `Wording.terms`: which versions may hold what a query says.

It answers with candidates: all that match are among them, not each of them matches. One small interface over
SQLite (FTS5, an index without positions) and PostgreSQL (GIN over a tsvector that its parser never sees).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from knowledge.query.tree import And, Literal, Near, Node, Or
from knowledge.query.words import WILD, is_wild

TABLE = "knowledge_wording"
FTS = "knowledge_wording_fts"
TOLD = f"{FTS}_told"  # each word of the index with each row it is in
# A tsvector holds one megabyte of words; a row with more is a candidate always.
INDEXED_CHARACTERS = 250_000
VECTOR = f"array_to_tsvector(string_to_array(left(terms, {INDEXED_CHARACTERS}), ' '))"
LONG = f"length(terms) > {INDEXED_CHARACTERS}"

_UNDO = f"INSERT INTO {FTS} ({FTS}, rowid, terms) VALUES ('delete', old.id, old.terms);"  # noqa: S608
_ADD = f"INSERT INTO {FTS} (rowid, terms) VALUES (new.id, new.terms);"  # noqa: S608
CREATE = {
    "sqlite": [
        f"""CREATE VIRTUAL TABLE {FTS} USING fts5(terms, content='{TABLE}', content_rowid='id',
            tokenize='ascii', detail='none', columnsize=0)""",
        f"CREATE TRIGGER {TABLE}_insert AFTER INSERT ON {TABLE} BEGIN {_ADD} END",
        f"CREATE TRIGGER {TABLE}_delete AFTER DELETE ON {TABLE} BEGIN {_UNDO} END",
        f"CREATE TRIGGER {TABLE}_update AFTER UPDATE OF id, terms ON {TABLE} BEGIN {_UNDO} {_ADD} END",
    ],
    "postgresql": [
        f"CREATE INDEX {TABLE}_terms ON {TABLE} USING gin ({VECTOR})",
        f"CREATE INDEX {TABLE}_long ON {TABLE} (id) WHERE {LONG}",
    ],
}
DROP = {
    "sqlite": [
        *(f"DROP TRIGGER IF EXISTS {TABLE}_{event}" for event in ("insert", "delete", "update")),
        f"DROP TABLE IF EXISTS {FTS}",
    ],
    "postgresql": [f"DROP INDEX IF EXISTS {TABLE}_terms", f"DROP INDEX IF EXISTS {TABLE}_long"],
}


@dataclass(frozen=True)
class _Dialect:
    """How a database writes “these words”; a word comes without the quotation marks it may not contain."""

    all_of: str
    any_of: str
    word: Callable[[str], str]
    beginning: Callable[[str], str]
    ids: str  # SQL for the ids of the rows that match


_DIALECTS = {
    "sqlite": _Dialect(
        " AND ",
        " OR ",
        lambda word: f'"{word}"',
        lambda word: f'"{word}"*',
        f"SELECT rowid FROM {FTS} WHERE {FTS} MATCH %s",  # noqa: S608 - constants
    ),
    "postgresql": _Dialect(
        " & ",
        " | ",
        lambda word: f"'{word}'",
        lambda word: f"'{word}':*",
        f"SELECT id FROM {TABLE} WHERE {VECTOR} @@ %s::tsquery OR {LONG}",  # noqa: S608 - constants
    ),
}


def candidates(node: Node) -> Q | None:
    """The rows of Wording that may match this text; None: every row may."""
    dialect = _DIALECTS[connection.vendor]
    match = _match(node, dialect)
    return Q(pk__in=RawSQL(dialect.ids, [match])) if match else None  # noqa: S611 - the words are a parameter


def is_sound() -> bool:
    """Whether the index says what the rows say. PostgreSQL sees to that itself."""
    if connection.vendor != "sqlite":
        return True
    try:
        with _reading() as cursor:
            cursor.execute(f"CREATE VIRTUAL TABLE temp.{TOLD} USING fts5vocab(main, {FTS}, instance)")
            told = _sum(cursor.execute(f"SELECT doc, term FROM temp.{TOLD}"))  # noqa: S608 - constants
            rows = cursor.execute(f"SELECT id, terms FROM {TABLE}")  # noqa: S608 - constants
            return told == _sum((pk, term) for pk, terms in rows for term in terms.split(" ") if term)
    except DatabaseError:
        return False


@contextmanager
def _reading() -> Iterator[Any]:
    """Within one state of the database, and without keeping anybody from writing."""
    is_ours = not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS temp.{TOLD}")
        if is_ours:
            cursor.execute("BEGIN DEFERRED")
        try:
            yield cursor
        finally:
            if is_ours:
                cursor.execute("ROLLBACK")


def _sum(pairs: Iterable[tuple[int, str]]) -> int:
    """The same for the same pairs in any order."""
    return sum(hash(pair) for pair in pairs) & 0xFFFFFFFFFFFFFFFF


def rebuild() -> None:
    """Make the index and what keeps it in step again, from the rows."""
    with connection.cursor() as cursor:
        for statement in [*DROP[connection.vendor], *CREATE[connection.vendor]]:
            cursor.execute(statement)
        if connection.vendor == "sqlite":
            cursor.execute(f"INSERT INTO {FTS} ({FTS}) VALUES ('rebuild')")  # noqa: S608


def _match(node: Node, dialect: _Dialect) -> str | None:
    match node:
        case Literal(words):
            return _joined([_word(word, dialect) for word in words], dialect.all_of)
        case Near(left, right):
            return _joined([_match(left, dialect), _match(right, dialect)], dialect.all_of)
        case And(parts):
            return _joined([_match(part, dialect) for part in parts], dialect.all_of)
        case Or(parts):
            found = [_match(part, dialect) for part in parts]
            return None if None in found else _joined(found, dialect.any_of)
        case _:
            return None


def _word(word: str, dialect: _Dialect) -> str | None:
    """A word with a wildcard is found by what stands before it."""
    if not is_wild(word):
        return dialect.word(word)
    beginning = WILD.split(word)[0]
    return dialect.beginning(beginning) if beginning else None


def _joined(parts: list[str | None], operator: str) -> str | None:
    known = list(dict.fromkeys(part for part in parts if part))
    return f"({operator.join(known)})" if known else None
