"""Looking something up in a scope with the query language: the one call of the page and of REST.

Exact parts decide which documents are found, completely; plain words rank the passages of those documents.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from knowledge import access, choices, search
from knowledge.access import Scope
from knowledge.exact import catalogue, finding, places
from knowledge.exact.catalogue import Entry, Facet
from knowledge.exact.places import Marks, Place, Ranges
from knowledge.models import Document, Version
from knowledge.query import Node, Query, parse
from knowledge.search import Result

PAGE = 20  # documents
PASSAGES = 20
PLACES = 3  # shown of each document
ALL_PLACES = 200  # shown of a document that is looked at by itself

Order = Literal["places", "date", "name"]


@dataclass(frozen=True)
class Group:
    """A document with what was found in it; `count` of all places, None where passages were ranked."""

    entry: Entry
    places: list[Place]
    count: int | None = None


@dataclass(frozen=True)
class Found:
    query: Query
    groups: list[Group]
    documents: int | None = None  # None: the best passages, not all there are
    places: int | None = None
    page: int = 1
    pages: int = 1
    facets: list[Facet] = field(default_factory=list)
    passages: list[Result] = field(default_factory=list)  # ranked; empty for an exact query
    choices: list[Document] = field(default_factory=list)  # that the words may mean, where they fit several

    @property
    def is_exact(self) -> bool:
        """Whether every document that matches is counted."""
        return self.documents is not None


@dataclass(frozen=True)
class Wanted:
    """Which part of what was found."""

    page: int = 1
    order: Order = "places"
    places: int = PLACES
    passages: int = PASSAGES


def find(scope: Scope, text: str, wanted: Wanted | None = None) -> Found:
    """Raises QueryError, BadQuery, and IndexUnavailable while words cannot be ranked."""
    query, wanted = parse(text), wanted or Wanted()
    if query.exact is None or query.words:
        return _ranked(scope, query, wanted)
    return _exact(scope, query, query.exact, wanted)


def like(scope: Scope, version: Version, offset: int, wanted: Wanted | None = None) -> list[Group]:
    """Documents that say what stands at this place, by their best passages."""
    passage = search.passage_at(version, offset)
    results = search.like(scope, passage, (wanted or Wanted()).passages) if passage else []
    return _grouped(results)


def _exact(scope: Scope, query: Query, node: Node, wanted: Wanted) -> Found:
    counts = {each.document_id: len(each.places) for each in finding.matches(scope, node)}
    entries = catalogue.entries(scope, counts)
    ordered = sorted(entries, key=_orders(counts)[wanted.order])
    pages = max(1, -(-len(ordered) // PAGE))
    page = min(wanted.page, pages)
    shown = ordered[(page - 1) * PAGE : page * PAGE]
    found = places.marks(scope, node, [each.document_id for each in shown])
    snippets = places.of(found, wanted.places)
    return Found(
        query=query,
        groups=[Group(each, snippets.get(each.document_id, []), counts[each.document_id]) for each in shown],
        documents=len(entries),
        places=sum(counts[each.document_id] for each in entries),
        page=page,
        pages=pages,
        facets=catalogue.facets(scope, entries),
    )


def _orders(counts: Mapping[UUID, int]) -> dict[Order, Callable[[Entry], tuple[object, ...]]]:
    """The newest first; documents without a date last."""
    return {
        "places": lambda each: (-counts[each.document_id], each.path),
        "date": lambda each: (each.date is None, -(each.date.timestamp() if each.date else 0), each.path),
        "name": lambda each: (each.name.casefold(), each.path),
    }


def _ranked(scope: Scope, query: Query, wanted: Wanted) -> Found:
    """The best passages for the words, in the documents that fulfil the exact parts."""
    counts: dict[UUID, int] | None = None
    inner = scope
    if query.exact is not None:
        counts = {each.document_id: len(each.places) for each in finding.matches(scope, query.exact)}
        inner = access.narrowed(scope, counts)
    results = search.retrieve(inner, query.words, wanted.passages)
    if query.exact is not None:
        results = _marked(inner, query, results)
    groups = _grouped(results)
    known = [group.entry for group in groups] if counts is None else catalogue.entries(scope, counts)
    offered = choices.of(scope, query.words, [result.passage for result in results])
    return Found(
        query,
        groups,
        facets=catalogue.facets(scope, known),
        passages=results,
        choices=[] if query.exact else offered,
    )


def _marked(scope: Scope, query: Query, results: list[Result]) -> list[Result]:
    """With what the exact parts found in each passage marked too."""
    if query.exact is None:
        return results
    found = places.marks(scope, query.exact, {each.passage.version.document_id for each in results})
    return [replace(each, ranges=_inside(each, found)) for each in results]


def _inside(result: Result, found: Mapping[UUID, Marks]) -> Ranges:
    """What was found in the passage, counted from its beginning."""
    passage = result.passage
    known = found.get(passage.version.document_id)
    return known.within(passage.start, passage.end) if known else []


def _grouped(results: Sequence[Result]) -> list[Group]:
    """The documents in the order of their best passages."""
    by_document: dict[UUID, list[Place]] = {}
    for result in results:
        by_document.setdefault(result.passage.version.document_id, []).append(_place(result))
    entries = {each.document_id: each for each in catalogue.of(result.passage.version for result in results)}
    return [Group(entries[pk], found) for pk, found in by_document.items()]


def _place(result: Result) -> Place:
    passage = result.passage
    return Place(
        document_id=passage.version.document_id,
        version_id=passage.version_id,
        page=passage.page_first,
        page_label=result.page_label,
        start=passage.start,
        end=passage.end,
        snippet=result.snippet,
        heading=passage.heading,
    )
