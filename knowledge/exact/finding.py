"""Which documents of a scope fulfil a query: candidates from the database, each of them verified."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db.models import Q, QuerySet

from knowledge import access
from knowledge.access import Scope
from knowledge.exact import filters, store
from knowledge.exact.matching import Reader, Spans, match
from knowledge.exact.reading import ints
from knowledge.listed import among
from knowledge.models import Wording
from knowledge.query.tree import And, Field, Near, Node, Not, Or, is_text, leaves

AT_ONCE = 200  # rows that are held in memory
UNITS = {"s": "sentences", "p": "paragraphs"}
EVERY = Q(pk__isnull=False)


@dataclass(frozen=True)
class Match:
    """A version that fulfils the query, and where; `columns` as they were asked for."""

    document_id: UUID
    version_id: UUID
    places: Spans
    columns: tuple[bytes, ...] = ()


def matches(scope: Scope, node: Node, *columns: str) -> Iterator[Match]:
    """All of them, in no order. An empty scope asks nothing of the database."""
    if scope.is_empty:
        return
    known = {leaf: filters.documents(scope, leaf) for leaf in leaves(node) if isinstance(leaf, Field)}
    units = [reach for reach in UNITS if reach in {near.reach for near in _nears(node)}]
    rows = readable(scope).filter(_condition(node, known))
    values = rows.values_list(
        "version__current_of", "version", "terms", "ids", *[UNITS[reach] for reach in units], *columns
    )
    for document_id, version_id, terms, ids, *more in values.iterator(chunk_size=AT_ONCE):
        begins = dict(zip(units, map(ints, more), strict=False))
        holds = {leaf: document_id in documents for leaf, documents in known.items()}
        reader = Reader(f" {terms} ", np.frombuffer(ids, "<u4"), begins, holds)
        places = match(node, reader)
        if places is not None:
            yield Match(document_id, version_id, places, tuple(more[len(units) :]))


def readable(scope: Scope) -> QuerySet[Wording]:
    """The words of the current version of each document of the scope."""
    return Wording.objects.filter(version__current_of__in=access.documents_in(scope))


def _nears(node: Node) -> Iterator[Near]:
    match node:
        case Near(left, right):
            yield node
            yield from _nears(left)
            yield from _nears(right)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _nears(part)
        case Not(part):
            yield from _nears(part)


def _condition(node: Node, known: dict[Field, frozenset[UUID]]) -> Q:
    """What the database can tell of a row without reading it; true for all rows that match."""
    if is_text(node):
        return store.candidates(node) or EVERY
    match node:
        case Field():
            return Q(version__document__in=among(known[node]))
        case And(parts):
            text = tuple(part for part in parts if is_text(part))
            found = _condition(And(text), known) if text else EVERY
            for part in parts:
                found &= EVERY if is_text(part) else _condition(part, known)
            return found
        case Or(parts):
            either = Q()
            for part in parts:
                either |= _condition(part, known)
            return either
        case _:
            return EVERY
