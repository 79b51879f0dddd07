"""Runs: beginning, pausing, resuming and ending them, and settling what is undecided.

A run is worked on by the workers as a job of its own; the rows say how far it is. What a worker writes names
its lease, so a run that was paused, cancelled or taken over gets nothing more from the worker that had it.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, CharField, Count, F, QuerySet, When
from django.utils import timezone

from knowledge import audit, comparison, exhaustive, jobs, queue, search, selection
from knowledge.access import Scope
from knowledge.models import Job, Matter, Run, Verdict
from knowledge.sheets import plain

MOST_OPEN = 3  # runs that one person may have at work in one matter
# A filter of its own: what the generator alone says, of what no sentence says.
GENERATED_NO = "no_generator"
CSV_HEAD = ["document", "verdict", "by", "score", "page", "quote", "note"]


class Refused(Exception):
    """The run cannot be begun, or is not in the state for this; the message says why."""


def begin(scope: Scope, matter: Matter, asker: User, kind: str, question: str) -> Run:
    """Store the run with its documents and queue it. Raises BadQuery or Refused."""
    question = search.checked(question)
    if Run.objects.filter(matter=matter, asker=asker, state__in=Run.OPEN).count() >= MOST_OPEN:
        raise Refused(f"You have {MOST_OPEN} runs at work in this matter. Wait for one, or stop it.")
    rows, _ = selection.chosen(scope, matter)
    if not rows:
        raise Refused("There is no document to read.")
    expected = selection.estimate(scope, matter).told()
    chosen = None if scope.document_ids is None else sorted(map(str, scope.document_ids))
    with transaction.atomic():
        run = Run.objects.create(
            matter=matter, asker=asker, kind=kind, question=question, documents=chosen, estimate=expected
        )
        if run.is_over_every_document:
            Verdict.objects.bulk_create(
                Verdict(run=run, document=row, version=row.current or row.latest, number=number)
                for number, row in enumerate(rows, start=1)
            )
        audit.record(audit.Act.QUESTION, f"run:{run.pk}", matter_id=matter.pk, text=question, by=asker)
        _queue(run)
    return run


def work(lease: jobs.Lease) -> None:
    """Go on with the run of this lease; called by a worker."""
    run = Run.objects.select_related("matter", "asker").get(pk=lease.subject_id)
    if run.is_over_every_document:
        exhaustive.work(lease, run)
        return
    from knowledge import research  # its library takes seconds to import, which the web server need not

    research.work(lease, run)


def pause(run: Run) -> None:
    _stop(run, Run.State.PAUSED, Run.WORKING, "")


def cancel(run: Run, person: User) -> None:
    _stop(run, Run.State.CANCELLED, Run.OPEN, f"Stopped by {person}.")


@transaction.atomic
def resume(run: Run) -> None:
    """Go on with a run that was paused, or that failed or was stopped before its end."""
    goes_on = [Run.State.PAUSED, Run.State.FAILED, Run.State.CANCELLED]
    if not Run.objects.filter(pk=run.pk, state__in=goes_on).update(
        state=Run.State.WAITING, note="", finished=None
    ):
        raise Refused("This run is not paused or stopped.")
    _queue(run)


def settle(verdict: Verdict, person: User, value: str) -> None:
    """A person decides about a document; the machine's verdict is kept beside it. "" takes it back."""
    verdict.settled = value
    verdict.settled_by = person if value else None
    verdict.settled_at = timezone.now() if value else None
    with transaction.atomic():
        verdict.save(update_fields=["settled", "settled_by", "settled_at"])
        details = {"document": str(verdict.document_id), "verdict": value, "machine": verdict.value}
        subject, matter_id = f"run:{verdict.run_id}", verdict.document.matter_id
        audit.record(audit.Act.CHANGE, subject, matter_id=matter_id, details=details, by=person)


def verdicts(run: Run, value: str = "") -> QuerySet[Any]:
    """The verdicts of a run that were reached, with what `counted`: a person's word before the machine's.

    With `value` (or GENERATED_NO) only those. The annotation is not in the type, so this one says Any.
    """
    counts = Case(When(settled="", then=F("value")), default=F("settled"), output_field=CharField())
    rows = run.verdicts.annotate(counted=counts).select_related("document", "version", "settled_by")
    return _with(rows, value)


def _with(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    if value == GENERATED_NO:
        return rows.filter(settled="", value=Verdict.Value.NO).exclude(model="")
    return rows.filter(counted=value) if value else rows.exclude(counted="")


def counts(run: Run) -> dict[str, int]:
    """How many documents are yes, no, undecided, and still to be looked at ("waiting")."""
    rows = verdicts(run).order_by().values_list("counted").annotate(count=Count("pk"))
    found: dict[str, int] = dict(rows)
    told = {value.value: found.get(value.value, 0) for value in Verdict.Value}
    return {**told, "waiting": run.verdicts.count() - sum(told.values())}


def generated_noes(run: Run) -> int:
    """How many of the no's are the word of the generator alone, and no person's."""
    return verdicts(run, GENERATED_NO).count()


def as_csv(run: Run) -> str:
    """One line a document: its verdict with the first quote, or what research found to each sub-question.

    A cell that a spreadsheet would calculate is made text.
    """
    if not run.is_over_every_document:
        return comparison.as_csv(run)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(CSV_HEAD)
    for verdict in verdicts(run).prefetch_related("findings"):
        writer.writerow(map(plain, _line(verdict)))
    return buffer.getvalue()


def _line(verdict: Verdict) -> Iterable[object]:
    quote = next(iter(verdict.findings.all()), None)
    machine = f"generator {verdict.model}" if verdict.model else "machine"
    by = f"{verdict.settled_by or 'a person'}" if verdict.settled else machine
    score = "" if verdict.score is None else f"{verdict.score:.2f}"
    where = (quote.page_label, quote.quote) if quote else ("", "")
    return verdict.document.path, verdict.effective, by, score, *where, verdict.note


@transaction.atomic
def _stop(run: Run, state: Run.State, while_in: Iterable[str], note: str) -> None:
    ended = timezone.now() if state == Run.State.CANCELLED else None
    if not Run.objects.filter(pk=run.pk, state__in=list(while_in)).update(
        state=state, note=note, finished=ended
    ):
        raise Refused("This run is over, or is paused already.")
    Job.objects.filter(run=run, state__in=jobs.OPEN).update(
        state=Job.State.CANCELLED, lease_until=None, finished=timezone.now()
    )


def _queue(run: Run) -> UUID:
    job = Job.objects.create(kind=Job.Kind.RUN, run=run, matter_id=run.matter_id)
    queue.wake_after_commit(job.pk)
    return job.pk
