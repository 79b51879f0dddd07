"""Documents that a person always wants read in full, or never."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from knowledge import audit
from knowledge.access import Scope
from knowledge.models import Document, Matter, Preference, Version


@dataclass(frozen=True)
class Wishes:
    pinned: tuple[Version, ...] = ()  # the versions that are read, of the documents of the scope
    excluded: frozenset[UUID] = frozenset()  # documents


def of(scope: Scope, person: User, matter: Matter) -> Wishes:
    rows = of_matter(person, matter).select_related("document__current__document")
    pinned = [
        row.document.current
        for row in rows
        if row.kind == Preference.Kind.FULL
        and row.document.current is not None
        and (scope.document_ids is None or row.document_id in scope.document_ids)
    ]
    excluded = frozenset(row.document_id for row in rows if row.kind == Preference.Kind.NEVER)
    return Wishes(tuple(pinned), excluded)


def of_matter(person: User, matter: Matter) -> QuerySet[Preference]:
    return Preference.objects.filter(user=person, document__matter=matter)


def kind_of(person: User, document: Document) -> Literal["", "full", "never"]:
    """What this person wishes for the document; "" when nothing."""
    row = Preference.objects.filter(user=person, document=document).first()
    if row is None:
        return ""
    return "full" if row.kind == Preference.Kind.FULL else "never"


def choose(person: User, document: Document, kind: str) -> None:
    """Keep a wish; "" takes it back. Raises ValueError for what is no kind."""
    wish = Preference.Kind(kind) if kind else None
    with transaction.atomic():
        if wish is None:
            Preference.objects.filter(user=person, document=document).delete()
        else:
            Preference.objects.update_or_create(user=person, document=document, defaults={"kind": wish})
        subject, told = f"document:{document.pk}", {"reading": kind or "as the evidence suggests"}
        audit.record(audit.Act.CHANGE, subject, matter_id=document.matter_id, details=told)
