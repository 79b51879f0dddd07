"""Telling other systems what has happened in a matter.

Deliveries are made from the rows of what happened, so none is lost when a process ends in between. Each is
signed as the Standard Webhooks specification has it, tried again with growing pauses, and can be replayed.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import httpx
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.http import Http404
from django.utils import timezone

from knowledge import access, audit, outbound
from knowledge.models import Answer, Delivery, Job, Matter, Role, Version, Webhook

ATTEMPTS = 7
BACK_OFF = timedelta(seconds=10)  # then four times as long each time: the last try comes after about 3 hours
LEASE = timedelta(seconds=60)
LOOKED_BACK = timedelta(days=7)
KEPT = timedelta(days=30)
AT_ONCE = 200
Event = Webhook.Event


def create(matter: Matter, by: User, url: str, events: list[str]) -> Webhook:
    """Raises outbound.Refused for an address that nothing would be sent to."""
    outbound.checked(url)
    with transaction.atomic():
        hook = Webhook.objects.create(matter=matter, by=by, url=url, events=sorted(set(events)))
        _record(audit.Act.ADD, hook, f"webhook:{hook.pk}")
    return hook


def delete(hook: Webhook) -> None:
    subject = f"webhook:{hook.pk}"
    with transaction.atomic():
        hook.delete()
        _record(audit.Act.DELETE, hook, subject)


def _record(act: audit.Act, hook: Webhook, subject: str) -> None:
    audit.record(act, subject, matter_id=hook.matter_id, details={"events": hook.events})


def notice() -> int:
    """Make a delivery of everything that has happened since and is not told yet; returns how many."""
    made = [row for hook in Webhook.objects.all() for row in _untold(hook)]
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=Delivery.State.DUE, due_at__lte=timezone.now()).order_by("due_at")


def replay(delivery: Delivery) -> Delivery:
    """Due again, with fresh attempts."""
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk).update(
            state=Delivery.State.DUE, attempts=0, due_at=timezone.now(), reason="", finished=None
        )
        _record(audit.Act.CHANGE, delivery.webhook, f"delivery:{delivery.pk}")
    delivery.refresh_from_db()
    return delivery


def send(delivery_id: UUID) -> bool:
    """Send one if it is due; a worker that dies over it leaves it due again. True when it arrived."""
    now = timezone.now()
    rows = Delivery.objects.filter(pk=delivery_id, state=Delivery.State.DUE, due_at__lte=now)
    if not rows.update(attempts=F("attempts") + 1, due_at=now + LEASE):
        return False
    delivery = Delivery.objects.select_related("webhook__matter", "webhook__by").get(pk=delivery_id)
    reason, status = _sent(delivery)
    if reason:
        _failed(delivery, reason, status)
        return False
    _settle(delivery, Delivery.State.SENT, "", status)
    return True


def deliver(seconds: float) -> None:
    """Send what is due, for so long: others wait for the worker too."""
    started = time.monotonic()
    for pk in due().values_list("pk", flat=True)[:AT_ONCE]:
        send(pk)
        if time.monotonic() - started > seconds:
            return


def sweep() -> int:
    return Delivery.objects.filter(created__lt=timezone.now() - KEPT).delete()[0]


def signature(secret: str, delivery_id: UUID, stamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{delivery_id}.{stamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(made.digest()).decode()


def _sent(delivery: Delivery) -> tuple[str, int | None]:
    """Why it did not arrive, or nothing; and the status of the response."""
    hook = delivery.webhook
    try:
        access.matter_for(hook.by, hook.matter_id, Role.MANAGER)
        status = outbound.post(hook.url, body := _body(delivery), _headers(delivery, body))
    except (Http404, PermissionDenied):
        return "Whoever made the webhook does not manage the matter any more.", None
    except outbound.Refused as error:
        return str(error), None
    except httpx.HTTPError as error:
        return f"It could not be sent: {type(error).__name__}.", None
    return ("" if 200 <= status < 300 else f"The response was {status}."), status


def _body(delivery: Delivery) -> bytes:
    told = {"type": delivery.event, "timestamp": delivery.created.isoformat(), "data": delivery.data}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def _headers(delivery: Delivery, body: bytes) -> dict[str, str]:
    stamp = int(time.time())
    return {
        "Content-Type": "application/json",
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature(delivery.webhook.secret, delivery.pk, stamp, body),
    }


def _failed(delivery: Delivery, reason: str, status: int | None) -> None:
    if delivery.attempts >= ATTEMPTS:
        _settle(delivery, Delivery.State.FAILED, f"{reason} (given up after {ATTEMPTS} attempts)", status)
        return
    due_at = timezone.now() + BACK_OFF * 4 ** (delivery.attempts - 1)
    Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.DUE).update(
        due_at=due_at, reason=reason, status=status
    )


def _settle(delivery: Delivery, state: Delivery.State, reason: str, status: int | None) -> None:
    Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.DUE).update(
        state=state, reason=reason, status=status, finished=timezone.now()
    )


def _untold(hook: Webhook) -> Iterator[Delivery]:
    """Unsaved deliveries of what happened in the matter since there is this webhook."""
    since = max(hook.created, timezone.now() - LOOKED_BACK)
    told = Exists(Delivery.objects.filter(webhook=hook, subject=OuterRef("pk")))
    for job in _jobs(hook, since).exclude(told)[:AT_ONCE]:
        event = Event.DOCUMENT_DONE if job.state == Job.State.DONE else Event.DOCUMENT_FAILED
        yield _delivery(hook, event, job.pk, _document(job.version))
    if Event.ANSWER_DONE in hook.events:
        states = (Answer.State.DONE, Answer.State.NOTHING)
        answers = Answer.objects.filter(matter=hook.matter_id, state__in=states, created__gt=since)
        for answer in answers.exclude(told)[:AT_ONCE]:
            yield _delivery(
                hook, Event.ANSWER_DONE, answer.pk, {"answer_id": str(answer.pk), "state": answer.state}
            )


def _document(version: Version | None) -> dict[str, str]:
    if version is None:
        return {}
    ids = {"document_id": str(version.document_id), "version_id": str(version.pk)}
    return {**ids, "state": version.state}


def _jobs(hook: Webhook, since: datetime) -> QuerySet[Job]:
    states = {Event.DOCUMENT_DONE: Job.State.DONE, Event.DOCUMENT_FAILED: Job.State.FAILED}
    wanted = [state for event, state in states.items() if event in hook.events]
    rows = Job.objects.filter(matter=hook.matter_id, kind=Job.Kind.INGEST, state__in=wanted)
    return rows.filter(finished__gt=since).select_related("version")


def _delivery(hook: Webhook, event: Event, subject: UUID, data: dict[str, str]) -> Delivery:
    return Delivery(
        webhook=hook, event=event, subject=subject, data={"matter_id": str(hook.matter_id), **data}
    )
