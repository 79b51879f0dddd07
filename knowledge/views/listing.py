"""The list of a matter's documents: filtered, in the order of the tree, a hundred at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import QueryDict

from knowledge import documents
from knowledge.forms import FilterForm
from knowledge.models import Matter, Version

PER_PAGE = 100
FIELDS = (
    "pk", "path", "state", "reason", "note", "same_as", "near", "size", "version_number", "page_count",
    "stage", "progress", "total", "title", "date",
)  # fmt: skip
Place = tuple[UUID, int, str]  # document, depth in the tree, the parent's path


@dataclass(frozen=True)
class Row:
    """One line of the list. `name` leaves out what the line above already says."""

    pk: UUID
    depth: int
    folder: str
    name: str
    title: str  # what the file calls itself, where that says more than its name
    date: datetime | None
    state: str
    label: str
    reason: str
    note: str
    same_as: str  # path of the document that is read in its place
    near: str  # path of an earlier document with almost the same text
    stage: str
    percent: int | None
    pages: int
    size: int
    version: int

    @property
    def is_failed(self) -> bool:
        return self.state == Version.State.FAILED

    @property
    def asks_for_password(self) -> bool:
        return self.is_failed and self.reason == Version.Reason.ENCRYPTED

    @property
    def is_retriable(self) -> bool:
        return self.state in Version.RETRIABLE

    @property
    def is_working(self) -> bool:
        return self.state in Version.WORKING

    @property
    def is_processing(self) -> bool:
        return self.state == Version.State.PROCESSING


@dataclass(frozen=True)
class Listing:
    rows: list[Row]
    page: Page[Place]
    form: FilterForm
    total: int
    working: int
    counts: list[tuple[str, str, int]]  # state, its label in lower case, how many documents
    query: str  # of the filter, without the page number

    @property
    def is_filtered(self) -> bool:
        return bool(self.query)


def of(matter: Matter, params: QueryDict) -> Listing:
    form = FilterForm(params)
    form.is_valid()  # what is not valid counts as not given
    wanted = {
        key: form.cleaned_data[key] for key in ("name", "state", "reason") if form.cleaned_data.get(key)
    }
    counts = Counter(_listed(matter).values_list("state", flat=True))
    page = Paginator(_places(matter, wanted), PER_PAGE).get_page(form.cleaned_data.get("page") or 1)
    return Listing(
        rows=_rows(matter, list(page.object_list)),
        page=page,
        form=form,
        total=sum(counts.values()),
        working=sum(counts[state] for state in Version.WORKING),
        counts=[
            (state.value, state.label.lower(), counts[state]) for state in Version.State if counts[state]
        ],
        query=urlencode(wanted),
    )


def _listed(matter: Matter) -> QuerySet[Any]:
    """The annotations of a query are not in its type, so this one says Any."""
    return documents.listing(matter)


def _places(matter: Matter, wanted: dict[str, str]) -> list[Place]:
    """Every document to be listed: attachments under what they came in; a filter makes the list flat."""
    if wanted:
        found = _listed(matter)
        if "name" in wanted:
            found = found.filter(path__icontains=wanted["name"])
        found = found.filter(**{key: wanted[key] for key in ("state", "reason") if key in wanted})
        return [(pk, 0, "") for pk in found.values_list("pk", flat=True)]
    children: dict[UUID | None, list[tuple[UUID, str]]] = {}
    for pk, parent, path in matter.documents.order_by("path").values_list("pk", "parent_id", "path"):
        children.setdefault(parent, []).append((pk, path))
    return list(_walk(children))


def _walk(children: dict[UUID | None, list[tuple[UUID, str]]]) -> Iterator[Place]:
    """Depth first without recursion: archives nest as deep as their makers like."""
    stack = [(pk, 0, "", path) for pk, path in reversed(children.get(None, []))]
    while stack:
        pk, depth, above, path = stack.pop()
        yield pk, depth, above
        stack += [(child, depth + 1, path, below) for child, below in reversed(children.get(pk, []))]


def _rows(matter: Matter, places: list[Place]) -> list[Row]:
    values = _listed(matter).filter(pk__in=[place[0] for place in places]).values(*FIELDS)
    by_pk = {value["pk"]: value for value in values}
    return [_row(by_pk[pk], depth, above) for pk, depth, above in places if pk in by_pk]


def _row(value: dict[str, Any], depth: int, above: str) -> Row:
    folder, _, name = value["path"].removeprefix(f"{above}/").rpartition("/")
    return Row(
        pk=value["pk"],
        depth=min(depth, 3),
        folder=folder,
        name=name,
        title=value["title"] if value["title"] not in (None, name) else "",
        date=value["date"],
        state=value["state"] or Version.State.WAITING,
        label=Version.State(value["state"] or Version.State.WAITING).label,
        reason=value["reason"] or "",
        note=value["note"] or "",
        same_as=value["same_as"] or "",
        near=value["near"] or "",
        stage=value["stage"] or "",
        percent=_percent(value["progress"], value["total"]),
        pages=value["page_count"] or 0,
        size=value["size"] or 0,
        version=value["version_number"] or 1,
    )


def _percent(progress: int | None, total: int | None) -> int | None:
    """None where the work cannot be measured: the bar then moves without saying how far."""
    return min(100, round(100 * (progress or 0) / total)) if total else None
