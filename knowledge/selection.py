"""Which documents a run reads, and what reading them is expected to take."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Avg, Count, Q, QuerySet, Sum

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
    asks_generator: bool  # about what the sentences of a document leave open
    left_open: int  # documents that are likely to be, by earlier runs; 0 where it is not asked
    seconds_each: float | None  # that it takes for one, and in `seconds`; None: not measured, and not in it

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
    pace = measured()
    each = pace.seconds_each if settings.RUN_GENERATOR else None
    left_open = math.ceil(pace.share_open * len(counts)) if settings.RUN_GENERATOR else 0
    seconds = sum(counts) * (pace.per_passage or SECONDS_PER_PASSAGE) + left_open * (each or 0.0)
    return Estimate(
        documents=len(rows),
        unreadable=len(rows) - len(counts),
        copies=copies,
        passages=sum(counts),
        seconds=round(seconds, 2),
        is_measured=pace.per_passage is not None,
        asks_generator=settings.RUN_GENERATOR,
        left_open=left_open,
        seconds_each=each,
    )


@dataclass(frozen=True)
class Pace:
    """What the newest verdicts here took."""

    per_passage: float | None = None  # seconds, without the generator; None before there are any
    share_open: float = 0.0  # of the documents, those that the sentences left open
    seconds_each: float | None = None  # of the generator for one; None before it answered


def measured() -> Pace:
    newest = Verdict.objects.filter(passages__gt=0).order_by("-pk").values("pk")[:MEASURED_ON]
    is_open = Q(value=Verdict.Value.UNDECIDED) | Q(generator_seconds__isnull=False)
    sums = Verdict.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).aggregate(
        seconds=Sum("seconds"),
        passages=Sum("passages"),
        count=Count("pk"),
        open=Count("pk", filter=is_open),
        generator=Sum("generator_seconds"),
        each=Avg("generator_seconds", filter=~Q(model="")),  # a call that failed says nothing of it
    )
    if not sums["passages"]:
        return Pace()
    sentences = float(sums["seconds"]) - float(sums["generator"] or 0.0)
    return Pace(max(0.0, sentences) / sums["passages"], sums["open"] / sums["count"], sums["each"])


def _passages(version_ids: Sequence[UUID]) -> list[int]:
    """How many passages each readable version has; what has none cannot be read."""
    rows = Version.objects.filter(pk__in=version_ids).annotate(
        count=Count("passages", filter=Q(passages__generation__state=Generation.State.CURRENT))
    )
    return [count for count in rows.values_list("count", flat=True) if count]
