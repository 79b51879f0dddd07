"""Lists in pieces, by cursor: the place after the last row told, so that nothing is skipped or told twice
when rows come or go between two calls. The next piece is named in the `Link` header (RFC 8288).
"""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Schema
from pydantic import Field

Row = TypeVar("Row", bound=Model)


class Place(Schema):
    """Where a list goes on, and how far."""

    cursor: str = Field("", max_length=4000, description="From the `Link` header of the piece before.")
    limit: int = Field(100, ge=1, le=500, description="How many at once.")


NOT_OURS = "This is not a cursor of this list."


class BadCursor(Exception):
    """Not a cursor of this list."""


def piece(
    request: HttpRequest, response: HttpResponse, rows: QuerySet[Row], order: Sequence[str], at: Place
) -> list[Row]:
    """The rows after the place in this order, whose last field tells rows apart. Raises BadCursor."""
    rows = rows.order_by(*order)
    if at.cursor:
        rows = rows.filter(_after(order, _opened(request, at.cursor, len(order))))
    found = list(rows[: at.limit + 1])
    if len(found) > at.limit:
        response["Link"] = f'<{_next(request, found[at.limit - 1], order)}>; rel="next"'
    return found[: at.limit]


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come later: equal in the first fields, beyond in one."""
    later, equal = Q(), Q()
    for field, value in zip(order, values, strict=True):
        name = field.removeprefix("-")
        beyond = Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        later |= equal & beyond
        equal &= Q(**{name: value})
    return later


def _next(request: HttpRequest, last: Model, order: Sequence[str]) -> str:
    values = [getattr(last, field.removeprefix("-")) for field in order]
    told = [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
    plain = [str(value) if isinstance(value, UUID) else value for value in told]
    query = request.GET.copy()
    query["cursor"] = signing.dumps(plain, salt=request.path)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _opened(request: HttpRequest, cursor: str, count: int) -> list[Any]:
    """The values in it. It is signed for this list, so what it holds is what we wrote."""
    try:
        values = signing.loads(cursor, salt=request.path)
    except (signing.BadSignature, ValueError) as error:
        raise BadCursor(NOT_OURS) from error
    if len(values) != count:
        raise BadCursor(NOT_OURS)
    return list(values)
