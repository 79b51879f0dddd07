"""A quote as it is shown: the source's own words, with a page mark where a page ends within it.

What stands at the edges of the pages is not shown there; it is in what the mark says when it is pointed at. A
quote that begins or ends within a sentence says so by dots.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_

from django.db.models import Q

from knowledge.models import Citation, Finding, Page

_ENDS = ".!?;:"
_CLOSING = "'\"”’)]»"
_FLOWING = str.maketrans("\N{NO-BREAK SPACE}\N{FIGURE SPACE}\N{NARROW NO-BREAK SPACE}", "   ")


@dataclass(frozen=True)
class Piece:
    """Words of the source; or where a page begins (`page`), `text` being what stands there between them."""

    text: str
    page: str = ""
    is_dots: bool = False


def pieces(rows: Sequence[Citation | Finding]) -> dict[int, list[Piece]]:
    """The pieces of each row, by its primary key, with one query for all."""
    turns = _turns(rows)
    return {row.pk: list(_pieces(row, turns.get(row.pk, []))) for row in rows}


def _turns(rows: Sequence[Citation | Finding]) -> dict[int, list[tuple[Page, Page]]]:
    """The pages that end within each row, with the ones that follow."""
    wanted = [Q(version=row.version_id, number__gte=row.page, start__lt=row.end) for row in rows]
    if not wanted:
        return {}
    found = Page.objects.filter(reduce(or_, wanted)).defer("boxes").order_by("version", "start")
    pages = list(found)
    return {
        row.pk: [
            (page, following)
            for page, following in pairwise(pages)
            if page.version_id == following.version_id == row.version_id
            and row.start < page.end == following.start < row.end
        ]
        for row in rows
    }


def _pieces(row: Citation | Finding, turns: Sequence[tuple[Page, Page]]) -> Iterator[Piece]:
    if _begins_within(row.quote):
        yield Piece("…", is_dots=True)
    at = row.start
    for page, following in turns:
        left = max(at, page.end - page.foot)
        right = min(max(left, following.start + following.head), row.end)
        yield Piece(_flowing(row.quote[at - row.start : left - row.start]))
        yield Piece(_flowing(row.quote[left - row.start : right - row.start]), page=following.label)
        at = right
    yield Piece(_flowing(row.quote[at - row.start :]))
    if _ends_within(row.quote):
        yield Piece("…", is_dots=True)


def _flowing(text: str) -> str:
    """With spaces at which a line can be broken: some files have no others."""
    return text.translate(_FLOWING)


def _begins_within(quote: str) -> bool:
    return quote[:1].islower() or quote[:1] in {",", ";"}


def _ends_within(quote: str) -> bool:
    bare = quote.rstrip().rstrip(_CLOSING)
    return bool(bare) and bare[-1] not in _ENDS
