"""Opening matters and managing who is in them."""

from django.contrib.auth.models import User
from django.db import transaction

from knowledge import blobs, generations
from knowledge.models import Matter, Membership, Role


class LastManager(Exception):
    """A matter keeps at least one manager."""


def create(name: str, manager: User) -> Matter:
    """A new matter; whoever opens it is its manager."""
    with transaction.atomic():
        matter = Matter.objects.create(name=name.strip())
        Membership.objects.create(matter=matter, user=manager, role=Role.MANAGER)
    return matter


def delete(matter: Matter) -> None:
    """Remove a matter with its documents, answers, stored files and points.

    From the commit on nothing of it can be seen; points that a crash leaves behind are never shown.
    """
    matter_id, documents = matter.pk, list(matter.documents.values_list("pk", flat=True))
    matter.delete()
    blobs.delete_all(matter_id)
    for generation in generations.live():
        for pk in documents:
            generations.index(generation).delete_document(pk)


def pause(matter: Matter) -> Matter:
    """Its documents wait; what is being worked on now is finished."""
    matter.is_paused = True
    matter.save(update_fields=["is_paused"])
    return matter


def resume(matter: Matter) -> Matter:
    matter.is_paused = False
    matter.save(update_fields=["is_paused"])
    return matter


def set_member(matter: Matter, user: User, role: Role) -> None:
    """Let a person in, or change what they may do. Raises LastManager."""
    with transaction.atomic():
        if role < Role.MANAGER:
            _keep_a_manager(matter, user)
        Membership.objects.update_or_create(matter=matter, user=user, defaults={"role": role})


def remove_member(matter: Matter, user: User) -> None:
    with transaction.atomic():
        _keep_a_manager(matter, user)
        Membership.objects.filter(matter=matter, user=user).delete()


def _keep_a_manager(matter: Matter, leaving: User) -> None:
    managers = matter.memberships.filter(role=Role.MANAGER)
    if managers.filter(user=leaving).exists() and not managers.exclude(user=leaving).exists():
        raise LastManager("A matter needs a manager: name another one first.")
