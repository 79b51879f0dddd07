"""The audit: one event for each thing that was read, asked, changed, exported or refused.

`record` belongs at the end of the transaction of what it tells: both happen or neither. It takes its turn in
the chain until the commit, so nothing else is locked after it.
"""

import getpass
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from knowledge.audit import chain, trace
from knowledge.models import AuditAnchor, AuditEvent, AuditText
from knowledge.models.service import is_service

Act = AuditEvent.Act
TURN = 7_126_031  # names the advisory lock of the chain, for PostgreSQL


@dataclass(frozen=True)
class Caller:
    person_id: int | None
    name: str
    via: str
    address: str = ""


def record(
    act: Act,
    subject: object = "",
    *,
    matter_id: UUID | None = None,
    text: str = "",
    details: Mapping[str, Any] | None = None,
    by: User | None = None,
) -> AuditEvent:
    """Add one event to the chain. `text` is what the matter's own words are in it: a question, a name."""
    caller = _caller(by)
    salt = secrets.token_hex(16)
    text = text.replace("\x00", "")  # PostgreSQL keeps none, and a search ignores them
    with transaction.atomic():
        number, previous = _turn()
        event = AuditEvent(
            sequence=number,
            at=timezone.now(),
            person_id=caller.person_id,
            person=caller.name,
            via=caller.via,
            address=caller.address,
            act=act,
            matter_id=matter_id,
            subject=str(subject),
            details=dict(details or {}),
            commitment=chain.commitment(salt, text) if text else "",
            previous=previous,
        )
        event.digest = chain.digest(entry(event))
        event.save(force_insert=True)
        if text:
            AuditText.objects.create(event=event, matter_id=matter_id, salt=salt, text=text)
    trace.recorded()
    return event


def entry(event: AuditEvent) -> dict[str, Any]:
    """An event as it is hashed and exported."""
    values = {name: getattr(event, name) for name in chain.FIELDS}
    matter = None if event.matter_id is None else str(event.matter_id)
    return {
        **values,
        "at": event.at.isoformat(timespec="microseconds"),
        "act": str(event.act),
        "matter_id": matter,
    }


def anchor() -> AuditAnchor | None:
    """Sign the chain as it is now; None where nothing was added since the last anchor."""
    last = AuditEvent.objects.order_by("sequence").last()
    if last is None:
        return None
    key = chain.private_key(settings.AUDIT_KEY)
    found, is_new = AuditAnchor.objects.get_or_create(
        sequence=last.sequence,
        defaults={
            "digest": last.digest,
            "at": timezone.now(),
            "signature": chain.sign(key, last.sequence, last.digest),
        },
    )
    return found if is_new else None


def forget(matter_id: UUID, subjects: Sequence[str] | None = None) -> None:
    """Remove what was said about a deleted matter, or about some things in it; the chain still holds."""
    said = AuditText.objects.filter(matter_id=matter_id)
    (said if subjects is None else said.filter(event__subject__in=subjects)).delete()


def _turn() -> tuple[int, str]:
    """The next number and the digest before it, ours until the transaction ends.

    On SQLite a transaction that writes is alone anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
    last = AuditEvent.objects.order_by("-sequence").values_list("sequence", "digest").first()
    return (last[0] + 1, last[1]) if last else (1, chain.START)


def _caller(by: User | None) -> Caller:
    request = trace.request()
    if request is None:
        return (
            Caller(by.pk, by.get_username(), "service") if by else Caller(None, getpass.getuser(), "command")
        )
    person = by or getattr(request, "user", None)
    via = "token" if trace.CREDENTIAL in request.META else "session"
    if person is not None and via == "token" and is_service(person):
        via = "service account"
    address = trace.address(request)
    if person is None or person.pk is None:
        return Caller(None, "", via, address)
    return Caller(person.pk, person.get_username(), via, address)
