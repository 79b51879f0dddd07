"""How often a token may call: so many times in each minute, counted on its row."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from knowledge import durability
from knowledge.models import ApiToken

SECONDS = 60


class TooMany(Exception):
    """The token has used up its calls of this minute."""


@dataclass(frozen=True)
class Allowance:
    """What is left of the present minute, after a call was counted."""

    most: int
    left: int
    seconds: int  # until the next minute begins
    is_over: bool

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        told = {
            "RateLimit-Policy": f'"token";q={self.most};w={SECONDS}',
            "RateLimit": f'"token";r={self.left};t={self.seconds}',
        }
        return {**told, "Retry-After": str(self.seconds)} if self.is_over else told


def count(token: ApiToken) -> Allowance:
    """Count a call in one statement that cannot pass the limit, however many come at once."""
    most, now = settings.API_CALLS, time.time()
    minute = int(now // SECONDS)
    rows = ApiToken.objects.filter(pk=token.pk)
    used = token.calls if token.minute == minute else 0
    with durability.relaxed():  # after a power cut a minute may begin anew
        is_counted = rows.exclude(minute=minute).update(minute=minute, calls=1, last_used=timezone.now())
        is_counted = is_counted or rows.filter(minute=minute, calls__lt=most).update(
            calls=F("calls") + 1, last_used=timezone.now()
        )
    left = max(0, most - used - 1) if is_counted else 0
    return Allowance(most, left, SECONDS - int(now) % SECONDS, is_over=not is_counted)
