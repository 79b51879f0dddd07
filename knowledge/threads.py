"""Which e-mails belong to one conversation, by the identifiers they name, in whatever order they arrive."""

import hashlib
from collections.abc import Sequence

from django.db.models import QuerySet

from knowledge.models import Matter, Version


def join(version: Version, message_id: str, named: Sequence[str]) -> str:
    """The thread of this message, which names earlier ones (the first of them first); "" for one without id.

    Threads that this message connects become one. Call it in a transaction: messages of a matter take turns.
    """
    known = [each for each in named if each and each != message_id]
    if not message_id and not known:
        return ""
    Matter.objects.select_for_update().get(pk=version.document.matter_id)
    others = Version.objects.filter(document__matter=version.document.matter_id).exclude(thread="")
    found = list(others.filter(message_id__in=known).order_by("created").values_list("thread", flat=True))
    mine = [_key(each) for each in [*known, message_id] if each]
    thread = found[0] if found else mine[0]
    others.filter(thread__in={*found, *mine} - {thread}).update(thread=thread)
    return thread


def messages(version: Version) -> QuerySet[Version]:
    """The e-mails of its conversation that can be read, oldest first, this one included."""
    same = Version.objects.filter(document__matter=version.document.matter_id, thread=version.thread)
    rows = same.filter(current_of__isnull=False) if version.thread else same.none()
    return rows.select_related("document").order_by("date", "created")


def _key(message_id: str) -> str:
    return hashlib.blake2b(message_id.encode(), digest_size=16).hexdigest()
