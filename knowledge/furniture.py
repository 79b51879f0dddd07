"""Page furniture: running heads and feet, which divide a sentence that crosses from page to page.

They stay in the text, whose offsets never move; whoever splits sentences or shows a quote looks past them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import takewhile
from operator import or_
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Length

from knowledge.models import Page, Passage

LINES = 3  # at each edge of a page
LONGEST = 150  # characters of a line
LEAST_PAGES, LEAST_SHARE = 3, 0.25  # of the pages that have a line before it counts as running
_NUMBER = re.compile(r"\d+|^[ivxl]{1,6}$")

Spans = list[tuple[int, int]]  # [start, end) in the text of a version, in order


def lengths(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Of each page how many characters at its beginning and at its end are furniture."""
    lines = [text.splitlines(keepends=True) for text in texts]
    heads = _running(lines)
    feet = _running([page[::-1] for page in lines])
    return [_of_page(page, heads, feet) for page in lines]


def _running(pages: Sequence[Sequence[str]]) -> set[str]:
    """What stands at this edge of many pages, numbers aside."""
    seen = Counter(form for page in pages for form in {_form(line) for line in _edge(page)})
    least = max(LEAST_PAGES, LEAST_SHARE * len(pages))
    return {form for form, count in seen.items() if form and count >= least}


def _edge(page: Sequence[str]) -> Sequence[str]:
    return [line for line in page if line.strip()][:LINES]


def _form(line: str) -> str:
    """A line as it is on every page; nothing for one that cannot be furniture."""
    bare = " ".join(line.split()).casefold()
    return _NUMBER.sub("#", bare) if len(bare) <= LONGEST and re.search(r"\w", bare) else ""


def _of_page(lines: Sequence[str], heads: set[str], feet: set[str]) -> tuple[int, int]:
    head, foot = _outer(lines, heads), _outer(lines[::-1], feet)
    length = sum(map(len, lines))
    return (head, foot) if head + foot < length else (0, 0)


def _outer(lines: Sequence[str], running: set[str]) -> int:
    """The length of the furniture at the beginning of these lines; empty lines between count with it."""
    edge = _edge(lines)
    count = sum(1 for _ in takewhile(lambda line: _form(line) in running, edge))
    if not count:
        return 0
    last = [place for place, line in enumerate(lines) if line.strip()][count - 1]
    return sum(map(len, lines[: last + 1]))


def spans(start: int, length: int, head: int, foot: int) -> Spans:
    """Where it stands in a version's text, for a page of `length` characters from `start` on."""
    each = ((start, start + head), (start + length - foot, start + length))
    return [(left, right) for left, right in each if left < right]


def blanked(text: str, start: int, furniture: Spans) -> str:
    """The text, which begins at `start`, with as many spaces in place of furniture: offsets stay."""
    for left, right in furniture:
        begin, end = max(left - start, 0), min(right - start, len(text))
        if begin < end:
            text = text[:begin] + " " * (end - begin) + text[end:]
    return text


def of_passages(passages: Iterable[Passage]) -> dict[UUID, Spans]:
    """The furniture of the pages on which these passages stand, by version."""
    found: dict[UUID, Spans] = {}
    for version, *place in _rows(passages):
        found.setdefault(version, []).extend(spans(*place))
    return found


def _rows(passages: Iterable[Passage]) -> Iterator[tuple[UUID, int, int, int, int]]:
    wanted = [
        Q(version=passage.version_id, number__range=(passage.page_first, passage.page_last))
        for passage in passages
    ]
    if not wanted:
        return
    pages = Page.objects.filter(reduce(or_, wanted)).exclude(head=0, foot=0).order_by("version", "start")
    yield from pages.values_list("version_id", "start", Length("text"), "head", "foot")
