"""Searches that a person keeps, each under a name of their own."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from knowledge import audit
from knowledge.models import Matter, SavedSearch
from knowledge.query import parse

MOST = 200  # of a person in a matter


class TooManySaved(Exception):
    """There is no room for another one."""

    def __init__(self) -> None:
        super().__init__(f"You have {MOST} saved searches in this matter; delete one first.")


def of(person: User, matter: Matter) -> QuerySet[SavedSearch]:
    return SavedSearch.objects.filter(user=person, matter=matter)


def keep(person: User, matter: Matter, name: str, query: str) -> SavedSearch:
    """Under a name that is used already the new query takes the place of the old one.

    Raises QueryError for what could never be run, and TooManySaved.
    """
    name, query = name.replace("\x00", ""), query.replace("\x00", "")
    parse(query)
    if of(person, matter).exclude(name=name).count() >= MOST:
        raise TooManySaved
    with transaction.atomic():
        saved, _ = SavedSearch.objects.update_or_create(
            user=person, matter=matter, name=name, defaults={"query": query}
        )
        audit.record(audit.Act.CHANGE, f"search:{saved.pk}", matter_id=matter.pk, text=query)
    return saved


def forget(saved: SavedSearch) -> None:
    subject = f"search:{saved.pk}"
    with transaction.atomic():
        saved.delete()
        audit.record(audit.Act.DELETE, subject, matter_id=saved.matter_id)
