"""Which events there are, and writing them out: JSON lines that can be checked offline, or a table."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from knowledge import audit
from knowledge.access import Person, matters_of
from knowledge.audit import chain
from knowledge.models import AuditAnchor, AuditEvent, Matter

HEAD = ("sequence", "at", "person", "via", "address", "act", "matter", "subject", "said", "details", "digest")


def filtered(wanted: dict[str, Any]) -> QuerySet[AuditEvent]:
    """The events that fit the filter of the page, newest first."""
    events = AuditEvent.objects.select_related("said").order_by("-sequence")
    names = {
        "person": "person",
        "act": "act",
        "matter": "matter_id",
        "since": "at__date__gte",
        "until": "at__date__lte",
    }
    return events.filter(**{names[key]: value for key, value in wanted.items() if value and key in names})


def lines(person: Person) -> Iterator[str]:
    """The whole chain with its anchors, closed by one: what `verify_audit` checks.

    What was said in an event is written out only where this person may see the matter themselves.
    """
    audit.anchor()
    open_to = _open_to(person)
    anchors = {row.sequence: row for row in AuditAnchor.objects.all()}
    last = max(anchors, default=0)
    events = AuditEvent.objects.filter(sequence__lte=last).select_related("said").order_by("sequence")
    for event in events.iterator(chunk_size=500):
        written = {**audit.entry(event), "digest": event.digest}
        if (said := visible(event, open_to)) is not None:
            written["said"] = {"salt": said.salt, "text": said.text}
        yield _line(written)
        if event.sequence in anchors:
            yield _line(_anchored(anchors[event.sequence]))


def table(events: Iterable[AuditEvent], person: Person) -> str:
    """The events as CSV."""
    open_to = _open_to(person)
    names: dict[Any, str] = dict(Matter.objects.values_list("pk", "name"))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(HEAD)
    for event in events:
        said = visible(event, open_to)
        row = (
            event.sequence, event.at.isoformat(), event.person, event.via, event.address, event.act,
            names.get(event.matter_id, str(event.matter_id or "")), event.subject, said.text if said else "",
            chain.canonical(event.details).decode(), event.digest,
        )  # fmt: skip
        writer.writerow([_plain(cell) for cell in row])
    return buffer.getvalue()


def visible(event: AuditEvent, open_to: frozenset[Any]) -> Any:
    """What was said in the event, for somebody to whom these matters are open."""
    said = getattr(event, "said", None)
    return said if said is not None and event.matter_id in open_to else None


def _open_to(person: Person) -> frozenset[Any]:
    return frozenset(matters_of(person).values_list("pk", flat=True))


def _anchored(row: AuditAnchor) -> dict[str, Any]:
    return {
        "sequence": row.sequence,
        "digest": row.digest,
        "at": row.at.isoformat(),
        "signature": row.signature,
    }


def _line(entry: dict[str, Any]) -> str:
    return chain.canonical(entry).decode() + "\n"


def _plain(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
