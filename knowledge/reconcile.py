"""Comparing what should be the same: rows, stored files, points of the index; in both directions.

What differs is repaired where the truth is known, else reported. A second run finds nothing new.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from knowledge import blobs, documents, generations, jobs, wordings
from knowledge.models import Document, Generation, Indexed, Job, Matter, Passage, Version

YOUNG_SECONDS = 3600  # a file without a row may be an upload under way
LOST = "The stored file is gone: upload it again. What was read from it can still be searched."
LOST_UNREAD = "The stored file is gone before it was read: upload it again."


@dataclass(frozen=True)
class Finding:
    kind: str
    subject: str
    is_repaired: bool

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject} ({'repaired' if self.is_repaired else 'reported'})"


def run(young_seconds: float = YOUNG_SECONDS) -> list[Finding]:
    """Find and repair what differs. Work in progress is left alone."""
    return [
        *_jobs_for_waiting_versions(),
        *_settled_versions_nobody_reads(),
        *_files_without_rows(young_seconds),
        *_rows_without_files(),
        *_lost_generations(),
        *_points(),
        *_wordings(),
        *_undescribed(),
    ]


def _jobs_for_waiting_versions() -> Iterator[Finding]:
    """A version that waits for work that nobody will do."""
    open_jobs = Job.objects.filter(version=OuterRef("pk"), state__in=jobs.OPEN, kind=Job.Kind.INGEST)
    stranded = Version.objects.filter(~Exists(open_jobs), state__in=Version.WORKING)
    for version in stranded.select_related("document"):
        with transaction.atomic():
            documents.queue_again(version)
        yield Finding("document without a job", str(version), is_repaired=True)


def _settled_versions_nobody_reads() -> Iterator[Finding]:
    """The newest readable version of a document is the one that is read."""
    readable = (Version.State.SEARCHABLE, Version.State.PARTIAL)
    newest = Version.objects.filter(document=OuterRef("pk"), state__in=readable).order_by("-number")
    candidates = Document.objects.filter(current=None).filter(Exists(newest))
    for document in candidates:
        if document.latest.state not in readable:
            continue  # a copy of another file, or failed: it is read there, or not at all
        Document.objects.filter(pk=document.pk).update(current=document.latest)
        yield Finding("readable document that was not read", document.path, is_repaired=True)


def _files_without_rows(young_seconds: float) -> Iterator[Finding]:
    before = time.time() - young_seconds
    for folder in sorted(blobs.root().glob("*")):
        matter_id = _uuid(folder.name)
        if matter_id is None or not Matter.objects.filter(pk=matter_id).exists():
            if folder.stat().st_mtime < before:
                blobs.delete_all_in(folder)
                yield Finding("files of no matter", folder.name, is_repaired=True)
            continue
        yield from _stray_files(matter_id, folder, before)


def _stray_files(matter_id: UUID, folder: Path, before: float) -> Iterator[Finding]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_mtime >= before:
            continue
        with transaction.atomic():
            Matter.objects.select_for_update().filter(pk=matter_id).first()
            known = Version.objects.filter(document__matter=matter_id, sha256=path.name).exists()
            if known or blobs.is_transfer(path):
                continue
            path.unlink(missing_ok=True)
        yield Finding("stored file without a row", path.name, is_repaired=True)


def _rows_without_files() -> Iterator[Finding]:
    gone = [
        version
        for version in Version.objects.select_related("document").iterator(chunk_size=500)
        if not blobs.path(version.document.matter_id, version.sha256).is_file()
        and version.note not in {LOST, LOST_UNREAD}
    ]
    for version in gone:
        is_read = version.state in {Version.State.SEARCHABLE, Version.State.PARTIAL}
        with transaction.atomic():
            if not is_read:
                jobs.cancel(version, LOST_UNREAD)
            state = Version.State.PARTIAL if is_read else Version.State.FAILED
            note = LOST if is_read else LOST_UNREAD
            Version.objects.filter(pk=version.pk).update(state=state, note=note)
        yield Finding("row without its stored file", str(version), is_repaired=False)


def _lost_generations() -> Iterator[Finding]:
    for generation in generations.live():
        if generations.restore_one(generation):
            yield Finding("index that lacks documents", str(generation), is_repaired=True)


def _points() -> Iterator[Finding]:
    """Every passage of a readable version has its point, and every point its passage."""
    for generation in generations.live():
        yield from _points_of(generation)


def _points_of(generation: Generation) -> Iterator[Finding]:
    index = generations.index(generation)
    complete = Indexed.objects.filter(generation=generation, version__current_of__isnull=False)
    versions = set(complete.values_list("version", flat=True))
    working = set(Version.objects.filter(jobs__state__in=jobs.OPEN).values_list("pk", flat=True))
    stray, counts = [], dict.fromkeys(versions, 0)
    expected = _expected(generation, versions)
    for point, version in index.points():
        if version in working:
            continue
        if point in expected.get(version, ()):
            counts[version] += 1
        else:
            stray.append(point)
    if stray:
        index.delete_points(stray)
        yield from (Finding("point without a passage", str(point), is_repaired=True) for point in stray)
    lacking = [pk for pk in versions - working if counts[pk] < len(expected.get(pk, ()))]
    yield from _reindex(generation, lacking)


def _expected(generation: Generation, versions: set[UUID]) -> dict[UUID, set[UUID]]:
    rows = Passage.objects.filter(generation=generation, version__in=versions)
    expected: dict[UUID, set[UUID]] = {}
    for version, pk in rows.values_list("version", "pk"):
        expected.setdefault(version, set()).add(pk)
    return expected


def _reindex(generation: Generation, versions: list[UUID]) -> Iterator[Finding]:
    for pk in versions:
        Indexed.objects.filter(version=pk, generation=generation).delete()
        yield Finding("passages without their points", str(Version.objects.get(pk=pk)), is_repaired=True)
    if versions:
        generations.bring_in(generation)


def _wordings() -> Iterator[Finding]:
    """Exact search reads every version that is read, as it stands, and its index says what the rows say."""
    for version in wordings.stale():
        wordings.keep(version)
        yield Finding("document whose words were not those of its text", str(version), is_repaired=True)
    if wordings.repair_index():
        yield Finding("index of words", "was not what the rows say", is_repaired=True)


def _undescribed() -> Iterator[Finding]:
    """What was read before descriptions were kept would be missing from filters and facets."""
    of_version = Job.objects.filter(version=OuterRef("pk"), kind=Job.Kind.INDEX)
    in_vain = of_version.filter(state__in=(Job.State.DONE, Job.State.FAILED)).exclude(reason="")
    at_rest = generations.readable().filter(~Exists(of_version.filter(state__in=jobs.OPEN)), kind="")
    for version in at_rest.filter(Exists(in_vain)).select_related("document"):
        yield Finding("document that cannot be described", str(version), is_repaired=False)
    queued = generations.go_over(at_rest.filter(~Exists(in_vain)))
    versions = Version.objects.select_related("document").in_bulk([job.version_id for job in queued])
    for version in versions.values():
        yield Finding("document without its description", str(version), is_repaired=True)


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
