"""The work on one document, step by step: parse, store, embed, index, done.

Scanned pages are read last: what needs no reading is searchable before it begins.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from inference.errors import InferenceError, Unavailable
from ingestion import indexing, pages, places, sandbox, verdict
from ingestion.parse.errors import ParseError, ParserKilled
from ingestion.parse.parsed import Attachment, Ocr, Page, Parsed
from knowledge import blobs, documents, durability, generations, jobs, paths, runs, similar, warming
from knowledge.index import IndexUnavailable
from knowledge.models import Document, Indexed, Job, Version

logger = logging.getLogger(__name__)

DEEPEST = 5  # archives in e-mails in archives …
MOST_INSIDE = 20_000  # files in all in one file that was uploaded


def run(job_id: UUID) -> None:
    """Do this job if it is to be had."""
    lease = jobs.claim(job_id)
    if lease is not None:
        work(lease)


def work(lease: jobs.Lease) -> None:
    """Do the job of this lease; every end of it is written into its row."""
    try:
        try:
            with lease.beating():
                _STEPS[lease.kind](lease)
        except jobs.LeaseLost:
            raise
        except ParserKilled as error:
            (jobs.retry_later if error.code == "crashed" else jobs.fail)(lease, str(error), error.code)
        except ParseError as error:
            jobs.fail(lease, str(error), error.code)
        except (InferenceError, IndexUnavailable, OSError) as error:
            logger.warning("Job %s: %s", lease.job_id, error)
            least = error.retry_after if isinstance(error, Unavailable) else None
            jobs.retry_later(lease, str(error), least=least)
        except Exception as error:  # an error of ours must end in the row too, or the document hangs
            logger.exception("Job %s failed", lease.job_id)
            jobs.retry_later(lease, f"Internal error ({type(error).__name__}); the log has the details.")
    except jobs.LeaseLost:
        logger.warning(
            "Job %s was taken over, paused, cancelled, or what it was about deleted.", lease.job_id
        )
    if lease.kind != Job.Kind.RUN:
        _clear_away(lease.subject_id)


def _clear_away(version_id: UUID) -> None:
    """Remove the points of a version that is not read: deleted, cancelled, failed, or overtaken.

    While it is being worked on they are its worker's.
    """
    wanted = Q(current_of__isnull=False) | Q(state__in=Version.WORKING)
    if Version.objects.filter(wanted, pk=version_id).exists():
        return
    try:
        for generation in generations.live():
            generations.index(generation).delete_version(version_id)
    except IndexUnavailable as error:
        logger.warning("Points wait for the reconciler: %s", error)


@dataclass
class Reading:
    """What has been read of a version so far."""

    version: Version
    lease: jobs.Lease
    done: list[Page] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def blob(self) -> Path:
        return blobs.path(self.version.document.matter_id, self.version.sha256)

    def parse(self, ocr: Ocr | Sequence[int]) -> Parsed:
        """Raises LeaseLost as soon as the job is known to be somebody else's."""
        self.lease.report("parsing" if isinstance(ocr, str) else "reading scans")
        try:
            return sandbox.parse_in_child(
                self.blob,
                self.version.document.name,
                ocr=ocr,
                password=self.lease.rows().values_list("password", flat=True).first() or "",
                is_cancelled=self.lease.lost.is_set,
            )
        except sandbox.Cancelled as error:
            raise jobs.LeaseLost from error

    def keep(self, read: Sequence[Page]) -> None:
        """Store these pages and bring them into every live generation."""
        is_first = not self.done
        with durability.relaxed():
            self.lease.report("storing")
            pages.store(self.lease, self.version, read, is_first=is_first)
            self.done += read
            for generation in generations.live():
                indexing.bring_in(self.lease, self.version, generation, anew=is_first)


def _ingest(lease: jobs.Lease) -> None:
    version = Version.objects.select_related("document__matter", "created_by").get(pk=lease.subject_id)
    reading = Reading(version, lease)
    with durability.relaxed():
        parsed = reading.parse("later")
        pages.describe(lease, version, parsed)
    reading.notes += _add_attachments(version, parsed)
    scanned = [page.number for page in parsed.pages if page.kind == "pending"]
    read = [page for page in parsed.pages if page.kind != "pending"]
    if any(page.text.strip() for page in read) or not scanned:
        reading.keep(read)
        if scanned:
            _publish(lease, version, f"{len(scanned)} scanned pages are still being read.")
        _read_scans(reading, scanned)
    else:
        _read_scans(reading, scanned, read)
    _settle(reading, has_attachments=bool(parsed.attachments))


def _read_scans(reading: Reading, scanned: list[int], others: Sequence[Page] = ()) -> None:
    """Read the pages that are pictures. Where others were read, a failure leaves these unreadable."""
    if not scanned:
        return
    try:
        read = [page for page in reading.parse(scanned).pages if page.number in set(scanned)]
    except ParseError as error:
        if not reading.done:
            raise
        reading.notes.append(error.message)
        read = [Page(number, str(number), "", "unreadable") for number in scanned]
    reading.keep(sorted([*read, *others], key=lambda page: page.number))


def _add_attachments(version: Version, parsed: Parsed) -> list[str]:
    """Attachments and archive members become documents of their own; returns what could not be taken."""
    refused = [f"{refusal.name}: {refusal.reason}" for refusal in parsed.refused]
    used: set[str] = set()
    for attachment in parsed.attachments:
        try:
            _add_attachment(version, attachment, used)
        except documents.Rejected as error:
            refused.append(f"{attachment.name}: {error}")
    return [f"Not taken in: {'; '.join(refused)}"] if refused else []


def _add_attachment(version: Version, attachment: Attachment, used: set[str]) -> None:
    """Under a name of its own: two files of one name are two documents, in the order in which they came."""
    parent: Document = version.document
    if parent.depth >= DEEPEST:
        raise documents.Rejected(f"It is nested more than {DEEPEST} files deep.")
    if Document.objects.filter(root=parent.root or parent).count() >= MOST_INSIDE:
        raise documents.Rejected(f"There are more than {MOST_INSIDE:,} files in what was uploaded.")
    names = paths.numbered(paths.inside(parent.path, attachment.name))
    name = next(name for name in names if name not in used)
    used.add(name)
    documents.add(
        parent.matter,
        name,
        [attachment.content],
        version.created_by,
        parent=parent,
        upload=version.upload,
    )


def _publish(lease: jobs.Lease, version: Version, note: str) -> None:
    """Make what has been read findable while the rest is being read."""
    with transaction.atomic():
        _complete(lease, version)
        Version.objects.filter(pk=version.pk).update(note=note)


def _settle(reading: Reading, *, has_attachments: bool) -> None:
    """Make this version the one that is read, say what it is worth, end the job: one transaction."""
    version, lease = reading.version, reading.lease
    state, note = verdict.of(reading.done, reading.notes, has_attachments=has_attachments)
    if state == Version.State.FAILED:
        jobs.fail(lease, note, Version.Reason.UNREADABLE)
        return
    with durability.relaxed():
        near = similar.find(version)
        pages.describe_text(version)
    with transaction.atomic():
        _complete(lease, version)
        jobs.finish(lease)
        Version.objects.filter(pk=version.pk).update(state=state, note=note, near=near)
    documents.supersede(version)


def _complete(lease: jobs.Lease, version: Version) -> None:
    """Say that the version is in every live generation, and is the one that is read.

    A generation that began meanwhile lacks it still: the transaction is given up, and the job done again.
    """
    live = generations.locked()
    lease.hold()
    ready = indexing.ready_in(version)
    if any(generation.pk not in ready for generation in live):
        raise IndexUnavailable("A new generation of the index began; this document is put into it too.")
    for generation in live:
        Indexed.objects.get_or_create(version=version, generation=generation)
    # A newer version that was faster stays the one that is read.
    older = Document.objects.filter(pk=version.document_id).exclude(current__number__gt=version.number)
    older.update(current=version)


def _index(lease: jobs.Lease) -> None:
    """Bring a version that was read before into every live generation that lacks it; then describe it."""
    version = Version.objects.select_related("document__matter").get(pk=lease.subject_id)
    for generation in generations.live():
        if not Indexed.objects.filter(version=version, generation=generation).exists():
            indexing.bring_in(lease, version, generation)
            with transaction.atomic():
                lease.hold()
                Indexed.objects.get_or_create(version=version, generation=generation)
    jobs.finish(lease, "" if version.kind else _describe(lease, version))


def _describe(lease: jobs.Lease, version: Version) -> str:
    """Describe it from what was stored of it; returns why it cannot be: it can be found all the same."""
    try:
        pages.describe_stored(lease, version)
    except jobs.LeaseLost:
        raise
    except Exception as error:  # whatever is wrong with the rows must hold up no generation of the index
        logger.exception("%s cannot be described", version)
        return f"It cannot be described ({type(error).__name__})."
    return ""


def _run(lease: jobs.Lease) -> None:
    """Who waits for a model lends the place at work to another job."""
    runs.work(replace(lease, idle=places.lent))


def _warm(lease: jobs.Lease) -> None:
    job = Job.objects.select_related("matter", "version__document", "by").get(pk=lease.job_id)
    lease.report("reading ahead")
    warming.read(job, lease.lost.is_set)
    jobs.finish(lease)


_STEPS: dict[int, Callable[[jobs.Lease], None]] = {
    Job.Kind.INGEST: _ingest,
    Job.Kind.INDEX: _index,
    Job.Kind.WARM: _warm,
    Job.Kind.RUN: _run,
}
