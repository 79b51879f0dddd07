"""Queries on the hot paths of search and ingestion, whose SQL is not built anew.

Building it takes Django up to fifty times as long as the database takes to answer.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Field, Model, QuerySet, UUIDField

AT_ONCE = 500  # values in one statement

M = TypeVar("M", bound=Model)
Reader = tuple[int, Callable[..., Any], Any]  # place, what reads its value, the column


def rows_by(model: type[M], column: str, values: Collection[Any]) -> list[M]:
    """The rows that have one of the values in this column, in no order; without their related rows."""
    field = _field(model, column)
    given = [field.get_db_prep_value(value, connection) for value in values]
    found: list[M] = []
    for start in range(0, len(given), AT_ONCE):
        found += _selected(model, column, given[start : start + AT_ONCE])
    return found


def by_id(model: type[M], ids: Collection[UUID]) -> dict[UUID, M]:
    return {row.pk: row for row in rows_by(model, "id", ids)}


def values(model: type[Model], names: tuple[str, ...], **among: Collection[Any]) -> list[list[Any]]:
    """These columns of the rows that have one of the values in each of the named columns."""
    if not all(among.values()):
        return []
    given = [
        _field(model, name).get_db_prep_value(value, connection) for name in among for value in among[name]
    ]
    select, _, readers = _layout(model, connection.vendor, names)
    quoted = connection.ops.quote_name
    inside = (f"{quoted(name)} IN ({', '.join(['%s'] * len(found))})" for name, found in among.items())
    with connection.cursor() as cursor:
        cursor.execute(f"{select} WHERE {' AND '.join(inside)}", given)
        return [_read(row, readers) for row in cursor.fetchall()]


def store(model: type[M], column: str, rows: Collection[M]) -> None:
    """Write this column of these rows, in one transaction; of rows that are gone nothing."""
    field, key, quoted = _field(model, column), model._meta.pk, connection.ops.quote_name
    given = [
        (
            field.get_db_prep_save(getattr(row, field.attname), connection),
            key.get_db_prep_value(row.pk, connection),
        )
        for row in rows
    ]
    if given:
        table, names = quoted(model._meta.db_table), (quoted(column), quoted(str(key.column)))
        with transaction.atomic(savepoint=False), connection.cursor() as cursor:
            cursor.executemany("UPDATE {} SET {} = %s WHERE {} = %s".format(table, *names), given)  # noqa: S608


def _selected(model: type[M], column: str, values: list[Any]) -> list[M]:
    select, attributes, readers = _layout(model, connection.vendor)
    sql = f"{select} WHERE {connection.ops.quote_name(column)} IN ({', '.join(['%s'] * len(values))})"
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [model.from_db(connection.alias, attributes, _read(row, readers)) for row in cursor.fetchall()]


@cache
def _field(model: type[Model], column: str) -> "Field[Any, Any]":
    return next(each for each in model._meta.concrete_fields if each.column == column)


@cache
def _layout(
    model: type[Model], _vendor: str, only: tuple[str, ...] = ()
) -> tuple[str, list[str], list[Reader]]:
    """The beginning of the SQL, the attributes in the order of its columns, and what reads these."""
    fields = [_field(model, name) for name in only] or model._meta.concrete_fields
    table, quoted = model._meta.db_table, connection.ops.quote_name
    names = ", ".join(quoted(str(field.column)) for field in fields)
    columns = [field.get_col(table) for field in fields]
    readers = [
        (place, reader, column)
        for place, column in enumerate(columns)
        for reader in [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
    ]
    return f"SELECT {names} FROM {quoted(table)}", [field.attname for field in fields], readers  # noqa: S608  # of models


def _read(row: tuple[Any, ...], readers: Sequence[Reader]) -> list[Any]:
    values = list(row)
    for place, reader, column in readers:
        values[place] = reader(values[place], column, connection)
    return values


class Prepared:
    """A query for one column that Django builds once.

    `build` makes it of stand-ins, values that stand nowhere else in it; others are put in their places then.
    A stand-in that does not come back as it was given would be asked for literally: that is refused.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]], /, column: str = "pk", **stand_ins: Any) -> None:
        self._build, self._column, self._stand_ins = build, column, stand_ins

    def ids(self, **values: Any) -> frozenset[UUID]:
        return frozenset(pk if isinstance(pk, UUID) else UUID(pk) for pk in self.values(**values))

    def values(self, **values: Any) -> list[Any]:
        """As the database gives them."""
        return [value for (value,) in self._asked(self._statement[0], values)]

    def count(self, **values: Any) -> int:
        [(found,)] = self._asked(f"SELECT COUNT(*) FROM ({self._statement[0]}) AS found", values)  # noqa: S608
        return int(found)

    def _asked(self, sql: str, values: dict[str, Any]) -> list[Any]:
        """Raises TypeError for what no field converts here: the text of an id would silently find nothing."""
        if wrong := [
            name for name, like in self._stand_ins.items() if not isinstance(values[name], type(like))
        ]:
            raise TypeError(f"The query wants another type of {', '.join(wrong)}.")
        parameters = self._statement[1]
        with connection.cursor() as cursor:
            cursor.execute(sql, [_adapted(values[name]) if name else said for name, said in parameters])
            return list(cursor.fetchall())

    @cached_property
    def _statement(self) -> tuple[str, list[tuple[str, Any]]]:
        """The SQL, and of each parameter the name of what it stands for, or "" and its value."""
        rows = self._build(**self._stand_ins).order_by().values_list(self._column)
        sql, parameters = rows.query.sql_with_params()
        names = {_adapted(value): name for name, value in self._stand_ins.items()}
        named = [(names.get(said, ""), said) for said in parameters]
        if missing := self._stand_ins.keys() - {name for name, _ in named}:
            raise RuntimeError(f"The query keeps its stand-ins for {', '.join(sorted(missing))}.")
        return sql, named


def _adapted(value: Any) -> Any:
    """As this database takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return UUIDField().get_db_prep_value(value, connection) if isinstance(value, UUID) else value
