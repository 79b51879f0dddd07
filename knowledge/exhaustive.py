"""One question to every document of a selection: a verdict for each, with the quotes that carry it."""

import time
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from inference.errors import Cancelled
from knowledge import access, findings, generations, jobs, opinions, verdicts
from knowledge.index import IndexUnavailable
from knowledge.models import Document, Finding, Passage, Run, Verdict, Version
from knowledge.opinions import UNASKED, Opinion
from knowledge.pins import Pin
from knowledge.quotes import Quote
from knowledge.verdicts import Judged

Pins = Mapping[Pin, float]
SLICE_SECONDS = 20.0  # then other matters have their turn
MOST_TRIES = 2
LEFT = "Who asked may no longer read this matter, so the run ended."
POISON = "Reading this document ended the work twice, so it is left to a person."
NO_TEXT = "There is no text that could be read in this document."
IN_PART = "Pages of this document could not be read, so what was found is not the whole of it."


def work(lease: jobs.Lease, run: Run) -> None:
    """Judge document after document until all are done or the turn is over."""
    until = time.monotonic() + SLICE_SECONDS
    embedder = generations.embedder(generations.current())
    question = verdicts.analysed(embedder, run.question)
    total = run.verdicts.count()
    waiting = run.verdicts.filter(value="").values_list("pk", flat=True)
    for done, pk in enumerate(waiting, start=total - len(waiting)):
        lease.report("reading", done, total)
        if access.scope_for(run.asker, run.matter).is_empty or not run.asker.is_active:
            finish(lease, Run.State.CANCELLED, LEFT)
            return
        if time.monotonic() > until:
            jobs.give_turn(lease)
            return
        _look(lease, question, pk)
    finish(lease, Run.State.DONE)


def finish(lease: jobs.Lease, state: Run.State, note: str = "") -> None:
    with transaction.atomic():
        jobs.finish(lease)
        Run.objects.filter(pk=lease.subject_id).update(state=state, note=note, finished=timezone.now())


def _look(lease: jobs.Lease, question: verdicts.Question, pk: int) -> None:
    """Judge one document as it is now; a newer version that came meanwhile is the one that is read."""
    started = time.monotonic()
    Verdict.objects.filter(pk=pk).update(tries=F("tries") + 1)
    row = Verdict.objects.select_related("document__current", "run").filter(pk=pk).first()
    if row is None:  # its document was deleted meanwhile
        return
    row.version = row.document.current or row.version
    judged, opinion = _judged(lease, row, question)
    pins = opinion.pins or findings.pinned(judged.quotes)
    with transaction.atomic():
        lease.hold()
        _store(row, judged, opinion, pins, time.monotonic() - started)


def _store(row: Verdict, judged: Judged, opinion: Opinion, pins: Pins, seconds: float) -> None:
    """In a transaction that holds the lease."""
    stored = Verdict.objects.filter(pk=row.pk).update(
        version=row.version,
        value=judged.value,
        score=judged.score,
        note=judged.note,
        passages=judged.passages,
        seconds=seconds,
        model=opinion.model,
        prompt_tokens=opinion.usage.prompt_tokens,
        cached_tokens=opinion.usage.cached_tokens,
        generator_seconds=opinion.seconds or None,
    )
    if not stored:  # its document was deleted while it was read
        return
    row.run.add(seconds, opinion.model, opinion.usage)
    Finding.objects.filter(verdict=row.pk).delete()
    Finding.objects.bulk_create(
        findings.finding(row.run_id, number, pin, score, verdict_id=row.pk)
        for number, (pin, score) in enumerate(pins.items(), start=1)
    )


def _judged(lease: jobs.Lease, row: Verdict, question: verdicts.Question) -> tuple[Judged, Opinion]:
    """By its sentences; what these leave open, by the generator where runs may ask it."""
    if row.tries > MOST_TRIES:
        return Judged(Verdict.Value.UNDECIDED, note=POISON), UNASKED
    found = passages(row.document)
    if not found:
        return Judged(Verdict.Value.UNDECIDED, note=NO_TEXT), UNASKED
    judged, opinion = verdicts.judge(question, found), UNASKED
    if settings.RUN_GENERATOR and judged.value == Verdict.Value.UNDECIDED:
        opinion = _asked(lease, row, judged.quotes, verdicts.closest(question, found))
        judged = judged.settled(opinion.value, opinion.note)
    is_partial = row.version.state == Version.State.PARTIAL
    return (judged.in_part(IN_PART) if is_partial else judged), opinion


def _asked(lease: jobs.Lease, row: Verdict, keys: Sequence[Quote], closest: Sequence[Passage]) -> Opinion:
    lease.report("asking the generator", *lease.rows().values_list("progress", "total")[0])
    try:
        return opinions.ask(row.version, row.run.question, keys, closest, lease.lost.is_set)
    except Cancelled as error:
        raise jobs.LeaseLost from error


def passages(document: Document) -> list[Passage]:
    """The passages of its current version. Raises IndexUnavailable while they are being made anew."""
    version = document.current
    if version is None:
        return []
    rows = version.passages.filter(generation=generations.current())
    found = list(rows.select_related("version__document").order_by("start"))
    if any(passage.vector is None for passage in found) or (not found and version.characters):
        raise IndexUnavailable("The index is being rebuilt.")
    return found
