"""Keeping what exact search reads in step with the pages that were stored."""

from django.db import transaction
from django.db.models import F, Q, QuerySet

from knowledge.exact import reading, store
from knowledge.models import Version, Wording


@transaction.atomic
def keep(version: Version) -> None:
    """Read the words of all stored pages of this version again; in the transaction that stores the pages."""
    pages = version.pages.values_list("number", "start", "text", "kind", named=True)
    Wording.objects.update_or_create(version=version, defaults=reading.columns(list(pages)))


def stale() -> QuerySet[Version]:
    """Versions that are read, and whose words are missing, of another text, or read by older rules."""
    differs = Q(wording=None) | ~Q(wording__characters=F("characters")) | ~Q(wording__edition=reading.EDITION)
    return Version.objects.select_related("document").filter(differs, current_of__isnull=False)


def repair_index() -> bool:
    """Build the database's full-text index again if it differs from the rows; whether it did."""
    if store.is_sound():
        return False
    store.rebuild()
    return True
