"""One question to every document of a selection: a verdict for each, with the quotes that carry it."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from inference.errors import Cancelled, InferenceError, ModelMissing, TooSlow, Unavailable
from knowledge import access, findings, generations, jobs, opinions, verdicts
from knowledge.index import IndexUnavailable
from knowledge.models import Document, Finding, Passage, Run, Verdict, Version
from knowledge.models.job import ATTEMPTS
from knowledge.opinions import UNASKED, Opinion
from knowledge.pins import Pin
from knowledge.quotes import Quote
from knowledge.streams import RECHECK_SECONDS, give_back_connection
from knowledge.verdicts import Judged

Pins = Mapping[Pin, float]
SLICE_SECONDS = 20.0  # then other matters have their turn
MOST_TRIES = 2  # then the generator is not asked; where it might have been, as many for the sentences alone
LEFT = "Who asked may no longer read this matter, so the run ended."
POISON = "Reading this document ended the work twice, so it is left to a person."
MOST_WAITS = 2  # of a document for a generator that is down; a run makes no more pauses in one turn either
NOT_ASKED = "The generator was not asked, as it had just failed: {}"
NOT_AGAIN = "Asking the generator about this document ended the work twice, so it was not asked again."
NO_TEXT = "There is no text that could be read in this document."
IN_PART = "Pages of this document could not be read, so what was found is not the whole of it."


@dataclass
class _Turn:
    lease: jobs.Lease
    question: verdicts.Question
    until: float
    failure: str = ""  # of the generator, which is not asked any more in this turn


class _Left(Exception):
    """Who asked may no longer read the matter."""


def work(lease: jobs.Lease, run: Run) -> None:
    """Judge document after document until all are done or the turn is over."""
    try:
        is_done = _go_through(lease, run)
    except _Left:
        finish(lease, Run.State.CANCELLED, LEFT)
        return
    if is_done:
        finish(lease, Run.State.DONE)
    else:
        jobs.give_turn(lease)


def _go_through(lease: jobs.Lease, run: Run) -> bool:
    """False when the turn was over before all were done."""
    embedder = generations.embedder(generations.current())
    question = verdicts.analysed(embedder, run.question)
    turn = _Turn(lease, question, time.monotonic() + SLICE_SECONDS)
    total = run.verdicts.count()
    waiting = run.verdicts.filter(value="").order_by("waits", "number").values_list("pk", flat=True)
    for done, pk in enumerate(waiting, start=total - len(waiting)):
        lease.report("reading", done, total)
        _check(run)
        if time.monotonic() > turn.until:
            return False
        _look(turn, pk)
    return not run.verdicts.filter(value="").exists()


def _check(run: Run) -> None:
    """Raise _Left unless who asked may read the matter now."""
    if not access.open_ids(run.asker_id, run.matter_id):
        raise _Left


def finish(lease: jobs.Lease, state: Run.State, note: str = "") -> None:
    with transaction.atomic():
        jobs.finish(lease)
        Run.objects.filter(pk=lease.subject_id).update(state=state, note=note, finished=timezone.now())


def _look(turn: _Turn, pk: int) -> None:
    """Judge one document as it is now; a newer version that came meanwhile is the one that is read."""
    started = time.monotonic()
    Verdict.objects.filter(pk=pk).update(tries=F("tries") + 1)
    row = Verdict.objects.select_related("document__current", "run").filter(pk=pk).first()
    if row is None:  # its document was deleted meanwhile
        return
    row.version = row.document.current or row.version
    try:
        judged, opinion = _judged(turn, row)
        pins = opinion.pins or findings.pinned(judged.quotes)
        with transaction.atomic():
            turn.lease.hold()
            _check(row.run)
            _store(row, judged, opinion, pins, time.monotonic() - started)
    except (
        jobs.LeaseLost,
        _Left,
        IndexUnavailable,
        Unavailable,
    ) as error:  # nothing is wrong with the document
        waits = row.waits + isinstance(error, Unavailable)
        Verdict.objects.filter(pk=pk, tries=row.tries).update(tries=row.tries - 1, waits=waits)
        if not isinstance(error, TooSlow):  # then another turn goes on behind what was read in this one
            raise


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


def _judged(turn: _Turn, row: Verdict) -> tuple[Judged, Opinion]:
    """By its sentences; what these leave open, by the generator where runs may ask it."""
    most = 2 * MOST_TRIES if settings.RUN_GENERATOR else MOST_TRIES
    if row.tries > most:
        return Judged(Verdict.Value.UNDECIDED, note=POISON), UNASKED
    found = passages(row.document)
    if not found:
        return Judged(Verdict.Value.UNDECIDED, note=NO_TEXT), UNASKED
    judged, opinion = verdicts.judge(turn.question, found), UNASKED
    if settings.RUN_GENERATOR and judged.value == Verdict.Value.UNDECIDED:
        opinion = _asked(turn, row, judged.quotes, found)
        judged = judged.settled(opinion.value, opinion.note)
    is_partial = row.version.state == Version.State.PARTIAL
    return (judged.in_part(IN_PART) if is_partial else judged), opinion


def _asked(turn: _Turn, row: Verdict, keys: Sequence[Quote], found: Sequence[Passage]) -> Opinion:
    """Raises Unavailable where it is worth while to come back later."""
    if row.tries > MOST_TRIES:
        return Opinion(Verdict.Value.UNDECIDED, NOT_AGAIN)
    if turn.failure:
        return Opinion(Verdict.Value.UNDECIDED, NOT_ASKED.format(turn.failure))
    turn.lease.enter("asking the generator")
    started, watch = time.monotonic(), _Watch(turn.lease, row.run)
    closest, is_near = verdicts.closest(turn.question, found), partial(verdicts.is_near, turn.question)
    try:
        with turn.lease.idle():
            return opinions.ask(row.version, row.run.question, keys, closest, watch, is_near)
    except Cancelled as error:
        raise (_Left if watch.has_left else jobs.LeaseLost) from error
    except InferenceError as error:
        _note_failure(turn, row, error)
        return opinions.failed(error, time.monotonic() - started)


def _note_failure(turn: _Turn, row: Verdict, error: InferenceError) -> None:
    """What is wrong with the generator is not found out anew with every document of this turn."""
    is_slow, may_wait = isinstance(error, TooSlow), row.waits < MOST_WAITS
    if isinstance(error, Unavailable) and may_wait and (is_slow or turn.lease.attempt < ATTEMPTS):
        raise error
    if isinstance(error, Unavailable | ModelMissing) and not is_slow:
        turn.failure = str(error)
        turn.until = time.monotonic() + SLICE_SECONDS  # for the sentences of the others


class _Watch:
    """Whether the generator need not go on: the job is no longer ours, or who asked may no longer read.

    The latter is looked up once a second at most, and no connection is held for it.
    """

    def __init__(self, lease: jobs.Lease, run: Run) -> None:
        self._lease, self._run = lease, run
        self._next = time.monotonic() + RECHECK_SECONDS
        self.has_left = False

    def __call__(self) -> bool:
        if not self._lease.lost.is_set() and time.monotonic() >= self._next:
            self._look_up()
            self._next = time.monotonic() + RECHECK_SECONDS
        return self.has_left or self._lease.lost.is_set()

    def _look_up(self) -> None:
        try:
            with suppress(DatabaseError):  # it is looked up again before anything is stored
                _check(self._run)
        except _Left:
            self.has_left = True
        finally:
            give_back_connection()


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
