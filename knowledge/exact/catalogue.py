"""What is known about the documents that were found: to name, sort and count them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from knowledge import access, prepared
from knowledge.access import Scope
from knowledge.exact.reading import KINDS
from knowledge.models import Correspondent, Kind, Version, Wording
from knowledge.query.fields import FIELDS, plain

MOST_VALUES = 12  # of one facet
FEW = 500  # documents that are asked for by name


@dataclass(frozen=True)
class Entry:
    document_id: UUID
    version_id: UUID
    path: str
    title: str
    kind: str
    date: datetime | None
    custodian: str
    author: str
    pages: int | None  # how its pages were read: Wording.kinds

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def label(self) -> str:
        return Kind(self.kind).label if self.kind else ""


@dataclass(frozen=True)
class Value:
    """One value of a facet, and what is added to the query to keep only its documents."""

    label: str
    term: str
    documents: int


@dataclass(frozen=True)
class Facet:
    name: str
    values: list[Value]


COLUMNS = (
    "pk", "current", "path", "current__title", "current__kind", "current__date", "current__custodian",
    "current__author", "current__wording__kinds",
)  # fmt: skip


def entries(scope: Scope, document_ids: Collection[UUID]) -> list[Entry]:
    """Of those documents that are in the scope, by path."""
    rows = access.documents_in(scope).filter(current__isnull=False).order_by("path")
    if len(document_ids) <= FEW:
        rows = rows.filter(pk__in=document_ids)
    return [Entry(*row) for row in rows.values_list(*COLUMNS) if row[0] in document_ids]


def of(versions: Iterable[Version]) -> list[Entry]:
    """Of versions that were found and may be shown, with their documents, by path."""
    found = {version.pk: version for version in versions}
    kinds = dict(prepared.values(Wording, ("version_id", "kinds"), version_id=found))
    return [
        _entry(each, kinds.get(each.pk)) for each in sorted(found.values(), key=lambda v: v.document.path)
    ]


def _entry(version: Version, pages: int | None) -> Entry:
    return Entry(
        document_id=version.document_id,
        version_id=version.pk,
        path=version.document.path,
        title=version.title,
        kind=version.kind,
        date=version.date,
        custodian=version.custodian,
        author=version.author,
        pages=pages,
    )


def facets(scope: Scope, found: Collection[Entry]) -> list[Facet]:
    """How many of these documents have which value; facets without a choice are left out."""
    counted = [
        _facet(
            "Type", "type", Counter(each.kind for each in found), {kind.value: kind.label for kind in Kind}
        ),
        _facet("Year", "date", Counter(_year(each.date) for each in found if each.date)),
        _facet("Custodian", "custodian", Counter(plain(each.custodian) for each in found)),
        _facet("Author", "author", Counter(plain(each.author) for each in found)),
        _facet("Sender", "sender", Counter(_senders(scope, found))),
        _facet("Pages", "pages", Counter(_honesty(found)), {kind.value: kind.label for kind in KINDS}),
    ]
    return [facet for facet in counted if facet.values]


def _facet(name: str, field: str, counts: Counter[str], labels: dict[str, str] | None = None) -> Facet:
    values = [
        Value((labels or {}).get(value, value), _term(field, value), count)
        for value, count in counts.most_common(MOST_VALUES + 1)
        if value
    ]
    return Facet(name, values[:MOST_VALUES])


def _term(field: str, value: str) -> str:
    """What finds exactly what was counted: of a text the whole value, not its words."""
    is_text = FIELDS[field].kind == "text"
    return f'{field}:="{value}"' if is_text else f"{field}:{value}"


def _year(at: datetime) -> str:
    """In the time zone of the service, as a query for the year has it."""
    return str(timezone.localtime(at, timezone.get_default_timezone()).year)


def _senders(scope: Scope, found: Iterable[Entry]) -> Iterator[str]:
    """Who sent each e-mail among them, by name where there is one."""
    versions = {each.version_id for each in found if each.kind == Kind.EMAIL}
    if not versions:
        return
    rows = Correspondent.objects.filter(
        role=Correspondent.Role.SENDER, version__current_of__in=access.documents_in(scope)
    )
    said = rows.order_by().values_list("version", "name", "address")
    # Each document counts once, however often it names its sender.
    yield from (
        value for _, value in {(pk, plain(name or address)) for pk, name, address in said if pk in versions}
    )


def _honesty(found: Iterable[Entry]) -> Iterator[str]:
    for each in found:
        for place, kind in enumerate(KINDS):
            if (each.pages or 0) >> place & 1:
                yield kind.value
