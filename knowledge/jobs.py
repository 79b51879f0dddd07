"""Claiming and finishing jobs: leases with heartbeat and fencing token, matters taking turns.

A worker holds a job while its lease runs and its fence is the newest. Every write of a worker names its
fence; a worker that was taken for dead and comes back writes nothing.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from knowledge.models import Job, Matter, Run, Version
from knowledge.models.job import ATTEMPTS

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)
BEAT_SECONDS = 10.0
BACK_OFF = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
INTERRUPTIONS = 10
NEVER = datetime.min.replace(tzinfo=UTC)
OPEN = (Job.State.DUE, Job.State.RUNNING)


class LeaseLost(Exception):
    """Another worker took the job over, or it was cancelled; this one must stop and write nothing."""


@dataclass(frozen=True)
class Lease:
    job_id: UUID
    kind: int
    subject_id: UUID  # what the job is about: a version, or a run
    fence: int
    attempt: int
    # A block in which the worker only waits, so that another job may be worked on meanwhile.
    idle: Callable[[], AbstractContextManager[None]] = field(default=nullcontext, repr=False, compare=False)
    lost: Event = field(default_factory=Event, repr=False, compare=False)  # set as soon as it is known

    @classmethod
    def of(cls, job: Job) -> "Lease":
        subject_id = job.version_id or job.run_id
        if subject_id is None:
            raise ValueError("A job is about a version or a run.")
        return cls(job.pk, job.kind, subject_id, job.fence, job.attempts)

    def rows(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job_id, fence=self.fence, state=Job.State.RUNNING)

    def report(self, stage: str, progress: int = 0, total: int = 0) -> None:
        """Say how far the work is, and hold on to the job."""
        self._update(stage=stage, progress=progress, total=total, lease_until=timezone.now() + LEASE)

    def enter(self, stage: str) -> None:
        """Say what is done now, as far as the work is, and hold on to the job."""
        self._update(stage=stage, lease_until=timezone.now() + LEASE)

    def hold(self) -> None:
        """Raise LeaseLost unless the job is still ours; for the transaction that writes results."""
        self._update(lease_until=timezone.now() + LEASE)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the lease in the background while a long step (a parse, a batch) runs."""
        stop = Event()
        thread = Thread(target=self._beat, args=(stop,), name=f"lease-{self.job_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _update(self, **values: object) -> None:
        if not self.rows().update(**values):
            self.lost.set()
            raise LeaseLost

    def _beat(self, stop: Event) -> None:
        while not stop.wait(BEAT_SECONDS) and not self.lost.is_set():
            try:
                self.hold()
            except LeaseLost:
                return
            except DatabaseError as error:  # it may be back before the lease runs out
                logger.warning("The lease of job %s could not be renewed: %s", self.job_id, error)
            finally:
                connection.close()


def claimable() -> QuerySet[Job]:
    """Jobs that a worker may take now: due ones, and those whose worker went silent."""
    now = timezone.now()
    return Job.objects.filter(
        Q(state=Job.State.DUE, due_at__lte=now) | Q(state=Job.State.RUNNING, lease_until__lt=now),
        matter__is_paused=False,
    )


def claim_next() -> Lease | None:
    """Take the job whose turn it is, or None if there is none.

    The matter with the fewest jobs at work comes first, then the one that has waited longest for a turn: ten
    thousand files of one matter do not hold up the one file of another.
    """
    for matter_id in _matters_in_turn():
        waiting = claimable().filter(matter=matter_id).order_by("kind", "due_at", "created")
        for job_id in waiting.values_list("pk", flat=True)[:3]:  # others may be faster with the first
            lease = claim(job_id)
            if lease is not None:
                return lease
    return None


def _matters_in_turn() -> list[UUID]:
    waiting = list(claimable().order_by().values_list("matter", flat=True).distinct())
    working = Job.objects.filter(
        state=Job.State.RUNNING, lease_until__gte=timezone.now(), matter__in=waiting
    ).order_by()
    busy = dict(working.values_list("matter").annotate(count=Count("pk")))
    served = dict(Matter.objects.filter(pk__in=waiting).values_list("pk", "served"))
    return sorted(waiting, key=lambda pk: (busy.get(pk, 0), served.get(pk) or NEVER))


@transaction.atomic
def claim(job_id: UUID) -> Lease | None:
    """Take the job, or None if it is not to be had. Claiming counts as an attempt."""
    now = timezone.now()
    taken = (
        claimable()
        .filter(pk=job_id)
        .update(
            state=Job.State.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            lease_until=now + LEASE,
        )
    )
    if not taken:
        return None
    job = Job.objects.get(pk=job_id)
    Matter.objects.filter(pk=job.matter_id).update(served=now)
    lease = Lease.of(job)
    if job.attempts > ATTEMPTS:
        fail(lease, f"Given up after {ATTEMPTS} attempts; the last one ended without a word.")
        return None
    _tell(lease, state=Version.State.PROCESSING)
    return lease


def release_interrupted() -> int:
    """At the start of the only process that works: what was running when the last one ended is due again.

    An interruption is no failed attempt; but a document that was there every time is not tried for ever.
    """
    running = Job.objects.filter(state=Job.State.RUNNING)
    for job in running.filter(interruptions__gte=INTERRUPTIONS):
        fail(Lease.of(job), f"The service ended {INTERRUPTIONS} times while it was working on this.")
    return running.update(
        state=Job.State.DUE,
        due_at=timezone.now(),
        lease_until=None,
        attempts=F("attempts") - 1,
        interruptions=F("interruptions") + 1,
    )


def finish(lease: Lease, note: str = "") -> None:
    """The job is over; `note` says what could not be done."""
    _end(lease, Job.State.DONE, note)


@transaction.atomic
def fail(lease: Lease, note: str, reason: str = Version.Reason.GIVEN_UP) -> None:
    """Quarantine: the job is over, its document or run says why, and a person may retry it."""
    _end(lease, Job.State.FAILED, note)
    _tell(lease, state=Version.State.FAILED, note=note)
    if lease.kind == Job.Kind.INGEST:
        Version.objects.filter(pk=lease.subject_id).update(reason=reason)


@transaction.atomic
def retry_later(
    lease: Lease, reason: str, code: str = Version.Reason.GIVEN_UP, least: float | None = None
) -> None:
    """A transient failure: due again after a pause, or quarantined when the attempts are used up.

    The pause is of `least` seconds at least, where the failure said so.
    """
    if lease.attempt >= ATTEMPTS:
        fail(lease, f"{reason} (given up after {ATTEMPTS} attempts)", code)
        return
    wished = min(timedelta(seconds=least or 0), LONGEST_PAUSE)
    due = timezone.now() + max(BACK_OFF * 2 ** (lease.attempt - 1), wished)
    if not lease.rows().update(state=Job.State.DUE, due_at=due, lease_until=None, reason=reason, stage=""):
        raise LeaseLost
    _tell(lease, state=Version.State.WAITING)


@transaction.atomic
def give_turn(lease: Lease) -> None:
    """Let others go first: the job is due again at once, with fresh attempts, because it got somewhere."""
    afresh = {"attempts": 0, "interruptions": 0}
    if not lease.rows().update(state=Job.State.DUE, due_at=timezone.now(), lease_until=None, **afresh):
        raise LeaseLost
    _tell(lease, state=Version.State.WAITING)


def cancel(version: Version, reason: str) -> bool:
    """End the work on a version; a worker at it stops at its next step. False if there is none."""
    ended = Job.objects.filter(version=version, state__in=OPEN).update(
        state=Job.State.CANCELLED,
        reason=reason,
        lease_until=None,
        finished=timezone.now(),
        stage="",
        password="",
    )
    if ended:
        unsettled = Version.objects.filter(pk=version.pk, state__in=Version.WORKING)
        unsettled.update(state=Version.State.CANCELLED, note=reason)
    return bool(ended)


def _end(lease: Lease, state: Job.State, reason: str) -> None:
    ended = lease.rows().update(
        state=state, reason=reason, lease_until=None, finished=timezone.now(), stage="", password=""
    )
    if not ended:
        raise LeaseLost


def _tell(lease: Lease, **values: str) -> None:
    """Write into the row that the job is about how it stands; versions and runs name these states alike."""
    if lease.kind == Job.Kind.INGEST:
        Version.objects.filter(pk=lease.subject_id).update(**values)
    elif lease.kind == Job.Kind.RUN:
        Run.objects.filter(pk=lease.subject_id).update(**values)
