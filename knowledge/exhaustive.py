"""One question to every document of a selection: a verdict for each, with the quotes that carry it."""

import time

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from knowledge import access, findings, generations, jobs, verdicts
from knowledge.index import IndexUnavailable
from knowledge.models import Document, Finding, Passage, Run, Verdict, Version

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
    row = Verdict.objects.select_related("document__current").filter(pk=pk).first()
    if row is None:  # its document was deleted meanwhile
        return
    judged, version = _judged(row, question), row.document.current or row.version
    pins = findings.pinned(judged.quotes)
    with transaction.atomic():
        lease.hold()
        seconds = time.monotonic() - started
        Verdict.objects.filter(pk=pk).update(
            version=version,
            value=judged.value,
            score=judged.score,
            note=judged.note,
            passages=judged.passages,
            seconds=seconds,
        )
        Run.objects.filter(pk=row.run_id).update(seconds=F("seconds") + seconds)
        Finding.objects.filter(verdict=pk).delete()
        Finding.objects.bulk_create(
            findings.finding(row.run_id, number, pin, score, verdict_id=pk)
            for number, (pin, score) in enumerate(pins.items(), start=1)
        )


def _judged(row: Verdict, question: verdicts.Question) -> verdicts.Judged:
    if row.tries > MOST_TRIES:
        return verdicts.Judged(Verdict.Value.UNDECIDED, note=POISON)
    found = passages(row.document)
    if not found:
        return verdicts.Judged(Verdict.Value.UNDECIDED, note=NO_TEXT)
    judged = verdicts.judge(question, found)
    is_partial = row.document.current is not None and row.document.current.state == Version.State.PARTIAL
    return judged.in_part(IN_PART) if is_partial else judged


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
