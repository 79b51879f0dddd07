"""How much is in a matter, and how much it is used."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone

from knowledge import documents
from knowledge.models import Matter, Page, Version

DAYS = 30


@dataclass(frozen=True)
class Usage:
    documents: int
    versions: int
    pages: int
    passages: int
    bytes: int
    characters: int
    answers: int
    answers_lately: int  # in the last 30 days
    seconds_generating: float  # in the last 30 days


def of(matter: Matter) -> Usage:
    versions = Version.objects.filter(document__matter=matter)
    sums = versions.aggregate(size=Sum("size"), characters=Sum("characters"))
    lately = matter.answers.filter(created__gt=timezone.now() - timedelta(days=DAYS))
    return Usage(
        documents=matter.documents.count(),
        versions=versions.count(),
        pages=Page.objects.filter(version__document__matter=matter).count(),
        passages=documents.passages(matter).count(),
        bytes=sums["size"] or 0,
        characters=sums["characters"] or 0,
        answers=matter.answers.count(),
        answers_lately=lately.count(),
        seconds_generating=round(lately.aggregate(sum=Sum("seconds"))["sum"] or 0.0, 3),
    )
