"""Writing an answer: generate from its evidence, check each sentence as it is completed, store the result."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from inference.errors import Cancelled, InferenceError
from inference.generator import Options
from knowledge import audit, engines, retry
from knowledge.draft import Draft, Event
from knowledge.models import Answer, Citation
from knowledge.streams import give_back_connection

CUT = "It stopped at the limit of {} tokens, before its end."
ENDS = {"done", "problem", "busy"}  # kinds of events
GONE = "The documents that this answer was to be written from have been deleted meanwhile."


def write(answer_id: UUID, cancelled: Callable[[], bool]) -> Iterator[Event]:
    """Generate the text of an answer that has its evidence, as a stream that ends with "done" or "problem".

    One writer at a time: a second one gets "busy". A writer whose reader goes away leaves the answer as it
    was, to be written at the next visit.
    """
    try:
        fence = _claim(answer_id)
        told = [] if fence else [_already(answer_id)]
    finally:
        give_back_connection()
    yield from told if fence is None else _written(answer_id, fence, cancelled)


def complete(answer_id: UUID, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Write to the end with nobody listening; what its last event says, nothing if it was cancelled."""
    told: dict[str, Any] = {}
    for event in write(answer_id, cancelled):
        told = event.data if event.kind in ENDS else {}
    return told


def _written(answer_id: UUID, fence: int, cancelled: Callable[[], bool]) -> Iterator[Event]:
    """Write as the holder of this fence."""
    try:
        draft = _draft(answer_id)
        if not draft.prompt.evidence:
            _mine(answer_id, fence).update(state=Answer.State.NOTHING, reason=GONE)
            yield Event("done", {"state": Answer.State.NOTHING})
            return
        give_back_connection()  # generation never holds a connection
        yield from _generate(draft, cancelled)
        reason = CUT.format(settings.ANSWER_TOKENS) if draft.is_cut else ""
        _store(draft, fence, reason)
        yield Event("done", {"state": Answer.State.DONE, "reason": reason, "cut": draft.is_cut})
    except Cancelled:
        return
    except (InferenceError, IntegrityError) as error:
        reason = GONE if isinstance(error, IntegrityError) else str(error)
        _mine(answer_id, fence).update(state=Answer.State.FAILED, reason=reason)
        yield Event("problem", {"reason": reason, "retry_after": retry.seconds(error)})
    finally:
        # Also when the reader closed the stream: nothing half-written is kept as complete.
        _mine(answer_id, fence).update(state=Answer.State.READY)
        give_back_connection()


def _already(answer_id: UUID) -> Event:
    """What to say of an answer that is not to be written now: it is complete, or another one writes it."""
    state = Answer.objects.values_list("state", flat=True).get(pk=answer_id)
    if state == Answer.State.GENERATING:
        return Event("busy", {"reason": "This answer is being written for another reader."})
    return Event("done", {"state": state})


def _generate(draft: Draft, cancelled: Callable[[], bool]) -> Iterator[Event]:
    options = Options(
        max_tokens=settings.ANSWER_TOKENS,
        deadline_seconds=settings.ANSWER_SECONDS,
        scope=engines.scope_of(draft.answer.matter_id),
        ids=draft.prompt.ids,
    )
    stream = engines.generator().stream(draft.prompt.messages(), options, cancelled)
    try:
        for piece in stream:
            yield from draft.add(piece)
            if draft.is_over:
                break
    finally:
        stream.close()
    draft.usage = stream.usage
    yield from draft.finish()


def _claim(answer_id: UUID) -> int | None:
    """Become the writer of this answer; the fence tells writers apart. None if it is not to be had."""
    now = timezone.now()
    overdue = now - timedelta(seconds=settings.ANSWER_SECONDS + 30)
    free = Q(state__in=[Answer.State.READY, Answer.State.FAILED]) | Q(
        state=Answer.State.GENERATING, claimed__lt=overdue
    )
    rows = Answer.objects.filter(free, pk=answer_id)
    if not rows.update(state=Answer.State.GENERATING, claimed=now, fence=F("fence") + 1, reason=""):
        return None
    return Answer.objects.values_list("fence", flat=True).get(pk=answer_id)


def _draft(answer_id: UUID) -> Draft:
    answer = Answer.objects.get(pk=answer_id)
    answer.citations.filter(origin=Citation.Origin.TEXT).delete()
    return Draft(answer)


def _store(draft: Draft, fence: int, reason: str) -> None:
    with transaction.atomic():
        stored = _mine(draft.answer.pk, fence).update(
            state=Answer.State.DONE,
            reason=reason,
            sentences=draft.written,
            said=draft.said,
            model=engines.generator().name,
            prompt_tokens=draft.usage.prompt_tokens,
            cached_tokens=draft.usage.cached_tokens,
            seconds_to_first_token=draft.seconds_to_first_token,
            seconds=draft.seconds,
        )
        if stored:
            Citation.objects.bulk_create(draft.new_citations)
            answer = draft.answer
            written = {"sentences": len(draft.written), "citations": len(draft.cited)}
            subject = f"answer:{answer.pk}"
            audit.record(
                audit.Act.ANSWER, subject, matter_id=answer.matter_id, details=written, by=answer.asker
            )


def _mine(answer_id: UUID, fence: int) -> QuerySet[Answer]:
    return Answer.objects.filter(pk=answer_id, fence=fence, state=Answer.State.GENERATING)
