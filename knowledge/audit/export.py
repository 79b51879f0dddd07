"""Which events there are, and writing them out: JSON lines that can be checked offline, or a table."""

import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.db.models import QuerySet

from knowledge import audit, streams
from knowledge.access import Person, matters_of
from knowledge.audit import chain
from knowledge.models import AuditAnchor, AuditEvent, Matter
from knowledge.sheets import plain

HEAD = ("sequence", "at", "person", "via", "address", "act", "matter", "subject", "said", "details", "digest")
AT_ONCE = 500  # events in memory


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
    last, after = close(), 0
    while (piece := chained(person, last, after)) is not None:
        written, after = piece
        yield from written


def close() -> int:
    """The number of the last event, which is anchored."""
    audit.anchor()
    newest = AuditAnchor.objects.order_by("sequence").last()
    return newest.sequence if newest else 0


def chained(person: Person, last: int, after: int) -> tuple[list[str], int] | None:
    """The next lines of the chain and the number of the last; None behind its end."""
    following = AuditEvent.objects.filter(sequence__gt=after, sequence__lte=last)
    events = list(following.select_related("said").order_by("sequence")[:AT_ONCE])
    if not events:
        return None
    open_to, end = _open_to(person), events[-1].sequence
    anchors = {row.sequence: row for row in AuditAnchor.objects.filter(sequence__gt=after, sequence__lte=end)}
    return [line for each in events for line in _told(each, open_to, anchors.get(each.sequence))], end


def _told(event: AuditEvent, open_to: frozenset[Any], anchor: AuditAnchor | None) -> list[str]:
    written = {**audit.entry(event), "digest": event.digest}
    if (said := visible(event, open_to)) is not None:
        written["said"] = {"salt": said.salt, "text": said.text}
    return [_line(written), *([_line(_anchored(anchor))] if anchor else [])]


def tabled(wanted: dict[str, Any], person: Person, before: int | None) -> tuple[str, int] | None:
    """The next rows of what the filter shows, and the number of the last; None behind the end."""
    rows = filtered(wanted) if before is None else filtered(wanted).filter(sequence__lt=before)
    events = list(rows[:AT_ONCE])
    if not events:
        return None
    open_to = _open_to(person)
    names: dict[Any, str] = dict(
        Matter.objects.filter(pk__in={each.matter_id for each in events}).values_list("pk", "name")
    )
    buffer = io.StringIO()
    csv.writer(buffer).writerows(_row(each, open_to, names) for each in events)
    return buffer.getvalue(), events[-1].sequence


def _row(event: AuditEvent, open_to: frozenset[Any], names: dict[Any, str]) -> list[str]:
    said = visible(event, open_to)
    row = (
        event.sequence, event.at.isoformat(), event.person, event.via, event.address, event.act,
        names.get(event.matter_id, str(event.matter_id or "")), event.subject, said.text if said else "",
        chain.canonical(event.details).decode(), event.digest,
    )  # fmt: skip
    return [plain(cell) for cell in row]


async def stream_chain(person: Person, allowed: streams.Allowed) -> AsyncIterator[bytes]:
    """The lines, piece by piece; it breaks off as soon as the reader is no auditor any more."""
    last, after = await streams.in_thread(close), 0
    while await streams.in_thread(allowed):
        if (piece := await streams.in_thread(chained, person, last, after)) is None:
            return
        written, after = piece
        yield "".join(written).encode()


async def stream_table(
    wanted: dict[str, Any], person: Person, allowed: streams.Allowed
) -> AsyncIterator[bytes]:
    yield (",".join(HEAD) + "\r\n").encode()
    before: int | None = None
    while await streams.in_thread(allowed):
        if (piece := await streams.in_thread(tabled, wanted, person, before)) is None:
            return
        text, before = piece
        yield text.encode()


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
