"""The fields of the query language, asked of the rows: which documents of a scope fulfil one."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from re import Pattern
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from knowledge import access
from knowledge.access import Scope
from knowledge.exact.matching import expression
from knowledge.exact.reading import KINDS
from knowledge.models import Correspondent, Page
from knowledge.query import fields
from knowledge.query.tree import Field
from knowledge.query.words import words

COLUMNS = {
    "author": "current__author",
    "custodian": "current__custodian",
    "title": "current__title",
    "language": "current__language",
    "file": "path",
}
ROLES = {
    "sender": [Correspondent.Role.SENDER],
    "recipient": [Correspondent.Role.TO, Correspondent.Role.COPY, Correspondent.Role.HIDDEN_COPY],
}


def documents(scope: Scope, leaf: Field) -> frozenset[UUID]:
    """The documents of the scope whose current version fulfils this field."""
    match leaf.test:
        case fields.Said(said):
            return _saying(scope, leaf.name, said)
        case fields.Is(value):
            return _being(scope, leaf.name, value)
        case fields.Stamps():
            return _stamped(scope, leaf.test)
        case fields.Days(first, last):
            condition = _days(first, last)
        case fields.Choice(value):
            condition = _choice(leaf.name, value)
    rows = access.documents_in(scope).filter(condition, current__isnull=False)
    return frozenset(rows.values_list("pk", flat=True))


def _choice(name: str, value: str) -> Q:
    if name == "type":
        return Q(current__kind=value)
    bit = 1 << KINDS.index(Page.Kind(value))
    return Q(current__wording__kinds__in=[kinds for kinds in range(1 << len(KINDS)) if kinds & bit])


def _days(first: date | None, last: date | None) -> Q:
    """In the time zone of the service; the calendar's own last day is no limit."""
    condition = Q(current__date__isnull=False)
    if first:
        condition &= Q(current__date__gte=_midnight(first))
    if last and last < date.max:
        condition &= Q(current__date__lt=_midnight(last + timedelta(days=1)))
    return condition


def _midnight(day: date) -> datetime:
    return datetime.combine(max(day, date(1, 1, 2)), time(), timezone.get_default_timezone())


def _saying(scope: Scope, name: str, said: tuple[str, ...]) -> frozenset[UUID]:
    says = _reader(said)
    return frozenset(pk for pk, value in _values(scope, name) if value and says(value))


def _being(scope: Scope, name: str, value: str) -> frozenset[UUID]:
    """Of people the name, else the address: as the counts beside a search have them."""
    if name in COLUMNS:
        return frozenset(pk for pk, found in _values(scope, name) if fields.plain(found or "") == value)
    return frozenset(
        pk for pk, person, address in _people(scope, name) if fields.plain(person or address) == value
    )


def _values(scope: Scope, name: str) -> Iterable[tuple[UUID, str]]:
    rows = access.documents_in(scope).filter(current__isnull=False)
    if name in COLUMNS:
        return rows.values_list("pk", COLUMNS[name])
    return ((pk, f"{person} {address}") for pk, person, address in _people(scope, name))


def _people(scope: Scope, name: str) -> Iterable[tuple[UUID, str, str]]:
    rows = access.documents_in(scope).filter(current__isnull=False)
    people = Correspondent.objects.filter(role__in=ROLES[name], version__current_of__in=rows).order_by()
    return people.values_list("version__current_of", "name", "address")


def _stamped(scope: Scope, wanted: fields.Stamps) -> frozenset[UUID]:
    """Documents on whose pages one of these numbers is stamped."""
    rows = access.documents_in(scope).exclude(current__bates_first="").filter(current__isnull=False)
    found = rows.values_list("pk", "current__bates_first", "current__bates_last")
    return frozenset(pk for pk, first, last in found if _overlaps(first, last, wanted))


def _overlaps(first: str, last: str, wanted: fields.Stamps) -> bool:
    begin, end = fields.stamp(first), fields.stamp(last or first)
    if begin is None or end is None or begin[0] != wanted.prefix:
        return False
    return begin[1] <= wanted.last and wanted.first <= max(end[1], begin[1])


def _reader(said: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a value says these words one after the other; the same value is read once."""
    patterns: list[Pattern[str]] = [expression(word) for word in said]

    @lru_cache(maxsize=10_000)
    def says(value: str) -> bool:
        found = [f" {word.text} " for word in words(value)]
        return any(
            all(pattern.match(word) for pattern, word in zip(patterns, found[at:], strict=False))
            for at in range(len(found) - len(patterns) + 1)
        )

    return says
