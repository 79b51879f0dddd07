"""What the generator remembers of a matter goes with what is deleted of it, also if its server is down then.

It is told at once. The row stays, and an hourly sweep tells it again: the first time may have failed, and a
prompt that was made before the deletion may have been read after it.
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


def begin(matter_id: UUID) -> None:
    """For the transaction that deletes: from its commit on the generator is told, until it knows."""
    Forgetting.objects.create(matter_id=matter_id)
    transaction.on_commit(lambda: _at_once(matter_id))


def sweep() -> int:
    """Tell what is due, and return how many deletions could not be told yet.

    Those that have failed most come last, and the first failure ends the round: a server that is down costs
    one call.
    """
    due = Forgetting.objects.filter(created__lt=timezone.now() - OVERTAKEN).order_by("tries", "pk")
    for matter_id in list(dict.fromkeys(due.values_list("matter_id", flat=True))):
        rows = list(due.filter(matter_id=matter_id).values_list("pk", flat=True))
        if not _told(matter_id):
            break
        Forgetting.objects.filter(pk__in=rows).delete()
    return Forgetting.objects.filter(tries__gt=0).count()


def _at_once(matter_id: UUID) -> None:
    """Where telling failed lately deletions do not wait for it."""
    if not Forgetting.objects.filter(tries__gt=0).exists():
        _told(matter_id)


def _told(matter_id: UUID) -> bool:
    try:
        engines.forget_matter(matter_id)
    except InferenceError as error:
        logger.warning("The generator still remembers what was deleted of matter %s: %s", matter_id, error)
        Forgetting.objects.filter(matter_id=matter_id).update(tries=F("tries") + 1)
        return False
    return True
