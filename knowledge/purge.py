"""Deleting for good: what is deleted leaves the disk, and a restored backup does not bring it back.

Rows, stored files and index points go at once (documents.delete, matters.delete). What the engines keep of
them beyond that goes here: the index is copied without them, SQLite's log and full-text index are merged. The
ids of all that was deleted are kept in a file beside the database; what reappears is deleted again.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from knowledge import audit, documents, generations, matters
from knowledge.exact import store
from knowledge.holds import Held
from knowledge.index import IndexUnavailable
from knowledge.models import AuditEvent, Document, Matter

logger = logging.getLogger(__name__)

RECEIPT = "purge"  # subject of the event that says how far the disk has been cleaned
KINDS = ("document:", "matter:")


def run() -> bool:
    """Clean the disk of all that was deleted since the last time; False if there was nothing to do."""
    keep_tombstones()
    deleted = _deleted().filter(sequence__gt=_cleaned_through())
    last = deleted.order_by("sequence").last()
    if last is None:
        return False
    details: dict[str, Any] = {"through": last.sequence, "deletions": deleted.count()}
    for generation in generations.live():
        generations.index(generation).compact()
    if connection.vendor == "sqlite":
        _clean_sqlite()
    audit.record(audit.Act.DELETE, RECEIPT, details=details)
    return True


def keep_tombstones() -> int:
    """Write down, outside of the database, what the audit says was deleted; returns how many are new."""
    known = set(_tombstones())
    missing = [subject for subject in _deleted().values_list("subject", flat=True) if subject not in known]
    if missing:
        with _file().open("a", encoding="utf-8") as handle:
            handle.writelines(json.dumps(subject) + "\n" for subject in missing)
            handle.flush()
            os.fsync(handle.fileno())
    return len(missing)


def bury() -> int:
    """At the start: delete again what a restored backup brought back; returns how many."""
    keep_tombstones()
    return sum(_bury(*subject.split(":")) for subject in _tombstones())


def _bury(kind: str, name: str) -> int:
    pk = UUID(name)
    try:
        if kind == "matter" and (matter := Matter.objects.filter(pk=pk).first()):
            matters.delete(matter)
            return 1
        if kind == "document" and (document := Document.objects.filter(pk=pk).first()):
            documents.delete(document)
            return 1
    except (Held, IndexUnavailable) as error:
        logger.error("The deleted %s %s is back from a backup and stays: %s", kind, pk, error)
    return 0


def _deleted() -> QuerySet[AuditEvent]:
    """The events of deleted documents and matters, oldest first."""
    events = AuditEvent.objects.filter(act=audit.Act.DELETE).order_by("sequence")
    return events.filter(subject__startswith=KINDS[0]) | events.filter(subject__startswith=KINDS[1])


def _cleaned_through() -> int:
    receipt = AuditEvent.objects.filter(act=audit.Act.DELETE, subject=RECEIPT).order_by("sequence").last()
    return int(receipt.details["through"]) if receipt else 0


def _tombstones() -> list[str]:
    if not _file().exists():
        return []
    with _file().open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def _file() -> Path:
    return Path(settings.DATA_DIR) / "deleted.jsonl"


def _clean_sqlite() -> None:
    """Deleted rows are overwritten as they go (secure_delete); the full-text index and the log are not."""
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {store.FTS} ({store.FTS}) VALUES ('optimize')")  # noqa: S608 - a constant
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
