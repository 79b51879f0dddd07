"""What the generator remembers of a matter goes with what is deleted of it, also if its server is down then.

It is told at once, unless telling it failed in the last minute. The row stays, and an hourly sweep tells it
again: the first time may have failed, and a prompt that was made before the deletion may have been read after
it.
"""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from inference.errors import InferenceError
from knowledge import engines
from knowledge.models import Forgetting

logger = logging.getLogger(__name__)

OVERTAKEN = timedelta(minutes=1)  # by then every prompt made before has come to the generator
DOWN = timedelta(minutes=1)  # so long after a failure no deletion waits for the next one


def begin(matter_id: UUID) -> None:
    """For the transaction that deletes: from its commit on the generator is told, until it knows."""
    Forgetting.objects.create(matter_id=matter_id)
    transaction.on_commit(lambda: _at_once(matter_id))


def sweep() -> int:
    """Tell everything again, and return how many deletions could not be told yet.

    Those that have failed most come last, and the first failure ends the round: a server that is down costs
    one call. What was deleted just now is told too, and once more in the next round.
    """
    overtaken = timezone.now() - OVERTAKEN
    rows = list(Forgetting.objects.order_by("tries", "pk"))
    left = len(rows)
    for matter_id in dict.fromkeys(row.matter_id for row in rows):
        if not _told(matter_id):
            break
        told = [row for row in rows if row.matter_id == matter_id]
        Forgetting.objects.filter(pk__in=[row.pk for row in told if row.created < overtaken]).delete()
        left -= len(told)
    return left


def _at_once(matter_id: UUID) -> None:
    if not Forgetting.objects.filter(failed__gt=timezone.now() - DOWN).exists():
        _told(matter_id)


def _told(matter_id: UUID) -> bool:
    try:
        engines.forget_matter(matter_id)
    except InferenceError as error:
        logger.warning("The generator still remembers what was deleted of matter %s: %s", matter_id, error)
        Forgetting.objects.filter(matter_id=matter_id).update(tries=F("tries") + 1, failed=timezone.now())
        return False
    return True
