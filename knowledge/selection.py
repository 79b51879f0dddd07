"""Which documents a run reads, and what reading them is expected to take."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from knowledge import documents
from knowledge.access import Scope
from knowledge.models import Document, Generation, Matter, Verdict, Version

# Until this machine has measured itself: seconds for one passage.
SECONDS_PER_PASSAGE = 0.01
MEASURED_ON = 500  # of the newest verdicts


@dataclass(frozen=True)
class Estimate:
    """What a run over these documents means, before it starts."""

    documents: int  # that get a verdict
    unreadable: int  # of them: no text to read, so the verdict is left to a person
    copies: int  # left out: the same file as another one, which is read
    passages: int
    seconds: float
    is_measured: bool  # whether the time comes from earlier runs here

    @property
    def minutes(self) -> int:
        return round(self.seconds / 60)

    def told(self) -> dict[str, object]:
        return asdict(self)


def chosen(scope: Scope, matter: Matter) -> tuple[list[Document], int]:
    """The documents of the scope that get a verdict, by path, and how many are copies of others.

    What was only unpacked (an archive) says nothing itself: what came out of it does.
    """
    if scope.is_empty:
        return [], 0
    rows = _listed(matter)
    if scope.document_ids is not None:
        rows = rows.filter(pk__in=scope.document_ids)
    rows = rows.filter(matter__in=scope.matter_ids).exclude(state=Version.State.UNPACKED)
    is_copy = Q(state=Version.State.DUPLICATE)
    return list(rows.exclude(is_copy)), rows.filter(is_copy).count()


def _listed(matter: Matter) -> QuerySet[Any]:
    """The annotations of a query are not in its type, so this one says Any."""
    return documents.listing(matter).select_related("current")


def estimate(scope: Scope, matter: Matter) -> Estimate:
    rows, copies = chosen(scope, matter)
    counts = _passages([row.current_id for row in rows if row.current_id])
    rate = measured_rate()
    return Estimate(
        documents=len(rows),
        unreadable=len(rows) - len(counts),
        copies=copies,
        passages=sum(counts),
        seconds=round(sum(counts) * (rate or SECONDS_PER_PASSAGE), 2),
        is_measured=rate is not None,
    )


def measured_rate() -> float | None:
    """Seconds per passage, of the newest verdicts here; None before there are any."""
    newest = Verdict.objects.filter(passages__gt=0).order_by("-pk").values("pk")[:MEASURED_ON]
    sums = Verdict.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).aggregate(
        seconds=Sum("seconds"), passages=Sum("passages")
    )
    return float(sums["seconds"]) / sums["passages"] if sums["passages"] else None


def _passages(version_ids: Sequence[UUID]) -> list[int]:
    """How many passages each readable version has; what has none cannot be read."""
    rows = Version.objects.filter(pk__in=version_ids).annotate(
        count=Count("passages", filter=Q(passages__generation__state=Generation.State.CURRENT))
    )
    return [count for count in rows.values_list("count", flat=True) if count]
