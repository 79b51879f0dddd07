"""Where in its pages a document fulfils a query: page, span and snippet of each place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db.models import Q

from knowledge import access, highlight
from knowledge.access import Scope
from knowledge.exact import finding
from knowledge.exact.matching import Spans
from knowledge.exact.reading import Ints, ints
from knowledge.models import Page
from knowledge.query.tree import Node

CLOSE = 200  # characters; places so close share a snippet

Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class Place:
    """A stretch of one page; start and end count code points of the version's text."""

    document_id: UUID
    version_id: UUID
    page: int
    page_label: str
    start: int
    end: int
    snippet: list[highlight.Piece]
    heading: str = ""


@dataclass(frozen=True)
class Marks:
    """All that was found in a version, as spans of its text in the order of its pages."""

    version_id: UUID
    page: list[int]  # the number of the page on which each begins
    ranges: Ranges  # as far as they stand on that page

    def within(self, start: int, end: int) -> Ranges:
        """Those that stand between these offsets, counted from the first."""
        return [(left - start, right - start) for left, right in self.ranges if left < end and start < right]


def marks(scope: Scope, node: Node, document_ids: Iterable[UUID]) -> dict[UUID, Marks]:
    """What was found in each of these documents, by document."""
    inner = access.narrowed(scope, document_ids)
    found = finding.matches(inner, node, "starts", "lengths", "pages")
    return {each.document_id: _marks(each) for each in found}


def of(found: Mapping[UUID, Marks], most: int) -> dict[UUID, list[Place]]:
    """The first places of each document, neighbours together; `most` snippets of each."""
    groups = {pk: list(_groups(each))[:most] for pk, each in found.items()}
    pages = _pages(found, groups)
    return {
        pk: [
            _place(pk, found[pk], number, pages[found[pk].version_id, number], ranges)
            for number, ranges in places
        ]
        for pk, places in groups.items()
    }


def _marks(found: finding.Match) -> Marks:
    starts, lengths, pages = found.columns
    begins = ints(starts)
    ends = begins + np.frombuffer(lengths, np.uint8)
    numbers, firsts = ints(pages).reshape(-1, 2).T
    return _on_pages(found, begins, ends, numbers, firsts)


def _on_pages(found: finding.Match, begins: Ints, ends: Ints, numbers: Ints, firsts: Ints) -> Marks:
    spans: Spans = found.places
    at = firsts.searchsorted(spans.first, side="right") - 1
    # A place that goes on on the next page is marked as far as this one goes.
    limit = [*(firsts[1:] - 1), len(begins) - 1]
    last = [min(end, limit[place]) for end, place in zip(spans.last.tolist(), at.tolist(), strict=True)]
    ranges = list(zip(begins[spans.first].tolist(), ends[last].tolist() if last else [], strict=True))
    return Marks(found.version_id, numbers[at].tolist(), ranges)


def _groups(found: Marks) -> Iterator[tuple[int, Ranges]]:
    """Places on one page that stand close together."""
    group: Ranges = []
    number = 0
    for page, span in zip(found.page, found.ranges, strict=True):
        if group and (page != number or span[0] - group[0][0] > CLOSE):
            yield number, group
            group = []
        number = page
        group.append(span)
    if group:
        yield number, group


def _pages(
    found: Mapping[UUID, Marks], groups: Mapping[UUID, Sequence[tuple[int, object]]]
) -> dict[tuple[UUID, int], tuple[int, str, str]]:
    """Start, label and text of the pages on which something is shown."""
    wanted = Q()
    for pk, places in groups.items():
        if places:
            wanted |= Q(version=found[pk].version_id, number__in={number for number, _ in places})
    if not wanted:
        return {}
    rows = Page.objects.filter(wanted).order_by().values_list("version", "number", "start", "label", "text")
    return {(version, number): (start, label, text) for version, number, start, label, text in rows}


def _place(pk: UUID, found: Marks, number: int, page: tuple[int, str, str], ranges: Ranges) -> Place:
    start, label, text = page
    return Place(
        document_id=pk,
        version_id=found.version_id,
        page=number,
        page_label=label,
        start=ranges[0][0],
        end=ranges[-1][1],
        snippet=highlight.around(text, ranges[0][0] - start, found.within(start, start + len(text))),
    )
