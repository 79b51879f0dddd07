"""Uploads: files sent together, each in pieces that go on after a dropped connection, and their report."""

import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from knowledge import audit, blobs, documents, files, paths
from knowledge.documents import Added, Rejected
from knowledge.models import Matter, Page, Refused, Transfer, Upload, Version
from knowledge.sheets import plain

KEPT = timedelta(hours=24)  # an unfinished transfer that nobody goes on with
READ_BYTES = 1024 * 1024


class WrongOffset(Exception):
    """The piece does not continue what is here; go on from `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes of this file are here: go on from there.")
        self.offset = offset


@dataclass(frozen=True)
class Received:
    """What is here after a piece came in; `added` once the file is complete."""

    transfer: Transfer
    added: Added | None = None


def begin(matter: Matter, by: User | None, custodian: str = "") -> Upload:
    """An upload of files that were all collected from one custodian, if one is named."""
    with transaction.atomic():
        upload = Upload.objects.create(matter=matter, by=by, custodian=" ".join(custodian.split())[:200])
        audit.record(audit.Act.ADD, f"upload:{upload.pk}", matter_id=matter.pk, by=by)
        return upload


def announce(upload: Upload, name: str, size: int) -> Transfer:
    """A transfer of a file of this size; the same one again after a lost connection. Raises Rejected."""
    path = paths.clean(name)
    reason = ""
    if size <= 0:
        reason = "The file is empty."
    elif size > settings.MAX_FILE_BYTES:
        reason = str(blobs.BlobTooLarge(settings.MAX_FILE_BYTES))
    if reason:
        Refused.objects.create(upload=upload, path=path, reason=reason)
        raise Rejected(reason)
    transfer, _ = Transfer.objects.get_or_create(upload=upload, path=path, defaults={"size": size})
    if transfer.size != size:  # another file under the same name: begin again
        _file(transfer).unlink(missing_ok=True)
        Transfer.objects.filter(pk=transfer.pk).update(size=size, offset=0)
        transfer.refresh_from_db()
    return transfer


def receive(transfer: Transfer, offset: int, pieces: Iterable[bytes]) -> Received:
    """Append bytes that begin at `offset`; the last ones make the file a document.

    Raises WrongOffset, or Rejected for more bytes than were announced. What came in before a connection
    dropped is kept.
    """
    path = _file(transfer)
    files.make_folder(path.parent)
    with path.open("ab") as handle:
        _lock(handle, transfer)
        transfer.refresh_from_db()
        if offset != transfer.offset:
            raise WrongOffset(transfer.offset)
        handle.truncate(transfer.offset)
        try:
            _append(handle, transfer, pieces)
        finally:
            handle.flush()
            os.fsync(handle.fileno())
            transfer.offset = handle.tell()
            transfer.save(update_fields=["offset", "touched"])
        return Received(transfer, _complete(transfer) if transfer.offset == transfer.size else None)


def sweep() -> int:
    """Forget transfers that nobody went on with; returns how many."""
    stale = list(Transfer.objects.filter(touched__lt=timezone.now() - KEPT).select_related("upload"))
    for transfer in stale:
        cancel(transfer)
    return len(stale)


def cancel(transfer: Transfer) -> None:
    _file(transfer).unlink(missing_ok=True)
    Transfer.objects.filter(pk=transfer.pk).delete()


def counts(upload: Upload) -> dict[str, int]:
    """How many files of the upload are in which state; "refused" for those not taken in."""
    states = Counter(upload.versions.values_list("state", flat=True))
    return {**states, "refused": upload.refused.count(), "arriving": upload.transfers.count()}


REPORT_HEAD = (
    "path", "state", "reason", "pages", "text pages", "pages by OCR", "unreadable pages", "version", "bytes",
    "sha256", "received", "media type", "same as", "near copy of", "reason code",
)  # fmt: skip


def report(upload: Upload) -> Iterator[list[str]]:
    """A line for each file of the upload, and for what was inside of it: what came in, what became of it."""
    kinds = {f"{kind}_pages": Count("pages", filter=Q(pages__kind=kind)) for kind in Page.Kind}
    rows = upload.versions.annotate(**kinds)
    for row in rows.select_related("document", "same_as__document", "near").order_by("document__path"):
        yield [plain(cell) for cell in _line(row)]
    for refused in upload.refused.all():
        yield [plain(cell) for cell in (refused.path, "Not taken in", refused.reason)]
    for transfer in upload.transfers.all():
        reason = f"{transfer.offset:,} of {transfer.size:,} bytes have arrived."
        yield [plain(cell) for cell in (transfer.path, "Arriving", reason)]


def _line(row: Version) -> tuple[object, ...]:
    counted = [getattr(row, name) for name in ("page_count", "text_pages", "ocr_pages", "unreadable_pages")]
    return (
        row.document.path,
        Version.State(row.state).label,
        row.note,
        *counted,
        row.number,
        row.size,
        row.sha256,
        row.created.isoformat(timespec="seconds"),
        row.media_type,
        row.same_as.document.path if row.same_as else "",
        row.near.path if row.near else "",
        row.reason,
    )


def _file(transfer: Transfer) -> Path:
    return blobs.folder(transfer.upload.matter_id) / f"{blobs.TRANSFER}{transfer.pk}"


def _lock(handle: BinaryIO, transfer: Transfer) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WrongOffset(transfer.offset) from None


def _append(handle: BinaryIO, transfer: Transfer, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        if handle.tell() + len(piece) > transfer.size:
            handle.truncate(transfer.offset)
            handle.seek(transfer.offset)
            raise Rejected(f"More bytes came than the {transfer.size:,} that were announced.")
        handle.write(piece)


def _complete(transfer: Transfer) -> Added:
    path, upload = _file(transfer), transfer.upload
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    incoming = blobs.Incoming(upload.matter_id, path, digest, transfer.size)
    added = documents.take_in(
        upload.matter, transfer.path, incoming, documents.Origin(upload.by, None, upload)
    )
    cancel(transfer)  # the bytes are in their place; what is left is the row
    return added
