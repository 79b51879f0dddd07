"""Adding, retrying and deleting documents. The web pages, the REST API and the commands all call these."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from knowledge import audit, blobs, forgetting, generations, holds, jobs, paths, queue, traces
from knowledge.audit import Act
from knowledge.index import IndexUnavailable
from knowledge.models import (
    Document,
    Generation,
    Job,
    Matter,
    Passage,
    Refused,
    Upload,
    Version,
)

logger = logging.getLogger(__name__)


class NotFailed(Exception):
    """Only what failed or was cancelled is tried again."""

    def __init__(self) -> None:
        super().__init__("Only a failed or cancelled document can be tried again.")


class Rejected(Exception):
    """A file that is not taken in at all; the message is for the person who sent it."""


@dataclass(frozen=True)
class Origin:
    """Who sent a file, what it came in, and with what it was sent."""

    by: User | None
    parent: Document | None
    upload: Upload | None


@dataclass(frozen=True)
class Added:
    document: Document
    version: Version
    is_new: bool  # False: the same bytes were already there under the same path

    @property
    def outcome(self) -> str:
        if not self.is_new:
            return "unchanged"
        return "duplicate" if self.version.same_as_id else "queued"


def add(
    matter: Matter,
    name: str,
    chunks: Iterable[bytes],
    by: User | None,
    parent: Document | None = None,
    upload: Upload | None = None,
) -> Added:
    """Store a file and queue it: bytes on disk first, then document, version and job in one transaction.

    Raises Rejected for an empty or over-limit file; whatever else is wrong with it the parser will say.
    """
    path = paths.clean(name)
    try:
        with blobs.incoming(matter.pk, chunks) as incoming:
            return take_in(matter, path, incoming, Origin(by, parent, upload))
    except blobs.BlobTooLarge as error:
        raise _refusal(upload, path, str(error)) from error


def take_in(matter: Matter, path: str, incoming: blobs.Incoming, origin: Origin) -> Added:
    """Keep bytes that are durably on disk under this path. Raises Rejected if there are none."""
    if incoming.size == 0:
        raise _refusal(origin.upload, path, "The file is empty.")
    with transaction.atomic():
        _lock(matter.pk)
        added = _add(matter, path, incoming, origin)
        if added.is_new and origin.parent is None:
            _record(Act.ADD, added.document, origin.by, sha256=incoming.sha256)
        return added


def _record(act: Act, document: Document, by: User | None = None, **details: object) -> None:
    subject, said = f"document:{document.pk}", document.path
    audit.record(act, subject, matter_id=document.matter_id, text=said, details=details, by=by)


def _refusal(upload: Upload | None, path: str, reason: str) -> Rejected:
    """Noted with the upload, so that its report has a line for it."""
    if upload is not None:
        Refused.objects.create(upload=upload, path=path, reason=reason)
    return Rejected(reason)


def _add(matter: Matter, path: str, incoming: blobs.Incoming, origin: Origin) -> Added:
    document = _document(matter, path, origin.parent)
    newest = document.versions.order_by("-number").first()
    if newest and newest.sha256 == incoming.sha256:
        return Added(document, newest, is_new=False)
    first = _first_with(matter, incoming.sha256, document)
    version = Version.objects.create(
        document=document,
        number=newest.number + 1 if newest else 1,
        sha256=incoming.sha256,
        size=incoming.size,
        created_by=origin.by,
        upload=origin.upload,
        custodian=origin.upload.custodian if origin.upload else "",
        same_as=first,
        state=Version.State.DUPLICATE if first else Version.State.WAITING,
    )
    incoming.keep()
    if first is None:
        queue_again(version)
    elif newest is not None:
        _retire(document)  # what it said before is replaced by what the other file says
    return Added(document, version, is_new=True)


def _document(matter: Matter, path: str, parent: Document | None) -> Document:
    """The document at this path that came in the same file, or a new one: what came from elsewhere under the
    same name is another document. Raises Rejected when what it came in has been deleted meanwhile.
    """
    if parent is not None and not Document.objects.filter(pk=parent.pk).exists():
        raise Rejected("What it came in has been deleted.")
    for name in paths.numbered(path):
        found = Document.objects.filter(matter=matter, path=name).first()
        if found is None:
            root = (parent.root or parent) if parent else None
            depth = parent.depth + 1 if parent else 0
            return Document.objects.create(matter=matter, path=name, parent=parent, root=root, depth=depth)
        if found.parent_id == (parent.pk if parent else None):
            return found
    raise Rejected("There are too many files of this name.")


def _first_with(matter: Matter, sha256: str, document: Document) -> Version | None:
    """Another document of the matter whose newest version has the same bytes, and is or will be read."""
    same = Version.objects.filter(document__matter=matter, sha256=sha256, same_as=None).exclude(
        document=document
    )
    unread = (Version.State.FAILED, Version.State.CANCELLED, Version.State.UNPACKED)
    for version in same.exclude(state__in=unread).select_related("document").order_by("created"):
        if version.document.latest.pk == version.pk:
            return version
    return None


def queue_again(version: Version, password: str = "") -> Job:
    """A job, with fresh attempts, that reads this version."""
    job = Job.objects.create(version=version, matter_id=version.document.matter_id, password=password[:200])
    queue.wake_after_commit(job.pk)
    return job


def _retire(document: Document) -> None:
    """A document whose newest version is a copy of another is read there, not here."""
    Document.objects.filter(pk=document.pk).update(current=None)
    _purge_points_after_commit(list(document.versions.values_list("pk", flat=True)))


def _purge_points_after_commit(versions: Sequence[UUID]) -> None:
    """Points that a crash leaves behind are never shown, and the reconciler removes them."""

    def purge() -> None:
        try:
            for generation in generations.live():
                for pk in versions:
                    generations.index(generation).delete_version(pk)
        except IndexUnavailable as error:
            logger.warning("Points wait for the reconciler: %s", error)

    transaction.on_commit(purge)


def _lock(matter_id: UUID) -> None:
    """Uploads and deletions of one matter take turns. On SQLite every writing transaction does so anyway."""
    Matter.objects.select_for_update().get(pk=matter_id)


def retry(document: Document, password: str = "") -> Job:
    """Queue a document that failed or was cancelled again, with fresh attempts. Raises NotFailed.

    The password of an encrypted one is forgotten as soon as it was tried.
    """
    with transaction.atomic():
        version = document.versions.order_by("-number")[0]
        failed = Version.objects.filter(pk=version.pk, state__in=Version.RETRIABLE)
        if not failed.update(state=Version.State.WAITING, note="", reason=""):
            raise NotFailed
        job = queue_again(version, password)
        _record(Act.CHANGE, document, state="queued again")
        return job


def retry_all(matter: Matter) -> int:
    """Queue every failed document of the matter again; returns how many."""
    failed = [row for row in listing(matter) if getattr(row, "state", "") == Version.State.FAILED]
    for document in failed:
        with suppress(NotFailed):  # somebody else was faster
            retry(document)
    return len(failed)


def cancel(document: Document, by: User) -> bool:
    """Stop the work on the newest version; an earlier one stays as it is. False if there is no work."""
    with transaction.atomic():
        version = document.versions.order_by("-number")[0]
        is_stopped = jobs.cancel(version, f"Cancelled by {by.get_username()}.")
        if is_stopped:
            _record(Act.CHANGE, document, by, state="cancelled")
        return is_stopped


def supersede(version: Version) -> None:
    """After a version has become the one that is read: older ones leave the index, their copies are read."""
    older = list(version.document.versions.filter(number__lt=version.number))
    with transaction.atomic():
        for each in older:
            _promote_copies(each)
        _purge_points_after_commit([each.pk for each in older])


def _promote_copies(version: Version) -> None:
    """Where the same bytes stand elsewhere too, that document is now read in place of this version."""
    copies = list(version.copies.select_related("document").order_by("created"))
    if not copies:
        return
    first, *others = copies
    Version.objects.filter(pk=first.pk).update(same_as=None, state=Version.State.WAITING)
    Version.objects.filter(pk__in=[each.pk for each in others]).update(same_as=first)
    queue_again(first)


def delete(document: Document) -> None:
    """Remove a document, what came out of it, its bytes and its points.

    From the commit on no search or page can show it. Points that a crash leaves behind are never shown: every
    hit is looked up in the database.
    """
    matter_id = document.matter_id
    with transaction.atomic():
        _lock(matter_id)
        holds.check(document.matter)
        family = [document, *descendants(document)]
        versions = list(Version.objects.filter(document__in=family))
        _hand_over(versions)
        hashes = {version.sha256 for version in versions}
        document_id = document.pk
        traces.remove(matter_id, family, versions)
        document.delete()
        transaction.on_commit(lambda: _delete_unused(matter_id, hashes))
        _purge_points_after_commit([version.pk for version in versions])
        forgetting.begin(matter_id)
        audit.record(
            Act.DELETE,
            f"document:{document_id}",
            matter_id=matter_id,
            details={"documents": len(family), "sha256": sorted(hashes)[:20]},
        )


def _hand_over(versions: Sequence[Version]) -> None:
    """Copies elsewhere of what is being deleted become documents that are read themselves."""
    leaving = {version.pk for version in versions}
    for version in versions:
        version.copies.filter(pk__in=leaving).update(same_as=None)
        _promote_copies(version)


def _delete_unused(matter_id: UUID, hashes: set[str]) -> None:
    """Bytes go only after the rows that named them; the reconciler finds what a crash leaves."""
    with transaction.atomic():
        _lock(matter_id)
        left = Version.objects.filter(document__matter=matter_id, sha256__in=hashes)
        for sha256 in hashes - set(left.values_list("sha256", flat=True)):
            blobs.delete(matter_id, sha256)


def descendants(document: Document) -> list[Document]:
    """Attachments and archive members, of any depth."""
    found: list[Document] = []
    for child in document.children.all():
        found += [child, *descendants(child)]
    return found


def listing(matter: Matter) -> QuerySet[Document]:
    """The documents of a matter, each with the state of its newest version and of its work."""
    newest = Version.objects.filter(document=OuterRef("pk")).order_by("-number")
    job = Job.objects.filter(version__document=OuterRef("pk")).order_by("-created")
    return matter.documents.annotate(
        state=Subquery(newest.values("state")[:1]),
        reason=Subquery(newest.values("reason")[:1]),
        note=Subquery(newest.values("note")[:1]),
        title=Subquery(newest.values("title")[:1]),
        date=Subquery(newest.values("date")[:1]),
        media_type=Subquery(newest.values("media_type")[:1]),
        same_as=Subquery(newest.values("same_as__document__path")[:1]),
        near=Subquery(newest.values("near__path")[:1]),
        size=Subquery(newest.values("size")[:1]),
        version_number=Subquery(newest.values("number")[:1]),
        page_count=Subquery(newest.values("page_count")[:1]),
        stage=Subquery(job.values("stage")[:1]),
        progress=Subquery(job.values("progress")[:1]),
        total=Subquery(job.values("total")[:1]),
    ).order_by("path")


def passages(matter: Matter) -> QuerySet[Passage]:
    """The passages of a matter that can be found."""
    return Passage.objects.filter(
        version__current_of__matter=matter, generation__state=Generation.State.CURRENT
    )


def unsettled(matter: Matter) -> int:
    """How many documents are still being worked on."""
    return Version.objects.filter(document__matter=matter, state__in=Version.WORKING).count()
