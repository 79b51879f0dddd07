"""Following a matter in the terminal while its documents are worked on."""

import time
from datetime import datetime, timedelta
from uuid import UUID

from django.core.management.base import OutputWrapper
from django.db.models import Q, QuerySet
from django.utils import timezone

from knowledge import documents
from knowledge.models import Document, Matter, Version

LOOK_SECONDS = 0.5
LATE = timedelta(minutes=1)  # how long before it is seen a row may have been written
WORKING = (Version.State.WAITING, Version.State.PROCESSING)


class Progress:
    """One line per settled document; in a terminal also a line that says what is being done now."""

    def __init__(self, output: OutputWrapper, matter: Matter, wanted: Q) -> None:
        self._output = output
        self._matter = matter
        self._wanted = wanted
        self._told: dict[UUID, str] = {}
        self._looked: datetime | None = None

    def watch(self) -> int:
        """Until nothing of this matter is being worked on; returns how many documents failed."""
        while True:
            working = documents.unsettled(self._matter)
            rows = list(self._rows() if working else self._all())
            for row in rows:
                self._tell(row)
            if not working:
                return sum(state == Version.State.FAILED for state in self._told.values())
            self._tell_now(rows, working)
            time.sleep(LOOK_SECONDS)

    def _rows(self) -> QuerySet[Document]:
        """All that are wanted at the first look, then those of which there may be something new to tell."""
        since, self._looked = self._looked, timezone.now()
        if since is None:
            return self._all()
        news = Q(state__in=WORKING) | Q(created__gte=since - LATE) | Q(jobs__finished__gte=since - LATE)
        fresh = Version.objects.filter(news, document__matter=self._matter)
        return self._all().filter(pk__in=fresh.values("document"))

    def _all(self) -> QuerySet[Document]:
        return documents.listing(self._matter).filter(self._wanted).distinct()

    def _tell(self, row: Document) -> None:
        state = getattr(row, "state", "")
        if state in WORKING or self._told.get(row.pk) == state:
            return
        self._told[row.pk] = state
        self._clear()
        self._output.write(line(row))

    def _tell_now(self, rows: list[Document], working: int) -> None:
        if not self._output.isatty():
            return
        busy = [_now(row) for row in rows if getattr(row, "state", "") == Version.State.PROCESSING]
        self._output.write(f"\r\x1b[K{working} to go: {'; '.join(busy)}"[:150], ending="")
        self._output.flush()

    def _clear(self) -> None:
        if self._output.isatty():
            self._output.write("\r\x1b[K", ending="")


def line(row: Document) -> str:
    """State, path and, if there is something to say, why; of a row of documents.listing."""
    state, note = getattr(row, "state", ""), getattr(row, "note", "")
    return f"{state:<11} {row.path}" + (f": {note}" if note else "")


def _now(row: Document) -> str:
    stage, progress, total = (getattr(row, name, None) for name in ("stage", "progress", "total"))
    share = f" {100 * progress // total} %" if progress and total else ""
    return f"{row.name} {stage or ''}{share}"
