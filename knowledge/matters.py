"""Opening matters and managing who is in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import transaction

from knowledge import access, audit, blobs, forgetting, generations, holds
from knowledge.audit import Act
from knowledge.models import GroupMembership, Matter, Membership, Role


class LastManager(Exception):
    """A matter keeps at least one manager."""


def create(name: str, manager: User) -> Matter:
    """A new matter; whoever opens it is its manager."""
    with transaction.atomic():
        matter = Matter.objects.create(name=name.strip())
        Membership.objects.create(matter=matter, user=manager, role=Role.MANAGER)
        audit.record(Act.ADD, f"matter:{matter.pk}", matter_id=matter.pk, text=matter.name)
    return matter


def named(matter_id: str) -> Matter | None:
    """For commands: the matter with this id; None also for what is no id."""
    try:
        return Matter.objects.filter(pk=UUID(matter_id)).first()
    except ValueError:
        return None


def delete(matter: Matter) -> None:
    """Remove a matter with its documents, answers, stored files and points.

    From the commit on nothing of it can be seen; points that a crash leaves behind are never shown.
    """
    matter_id, documents = matter.pk, list(matter.documents.values_list("pk", flat=True))
    holds.check(matter)
    with transaction.atomic():
        audit.forget(matter_id)
        LogEntry.objects.filter(content_type__model="matter", object_id=str(matter_id)).delete()
        matter.delete()
        details = {"documents": len(documents)}
        audit.record(Act.DELETE, f"matter:{matter_id}", matter_id=matter_id, details=details)
        forgetting.begin(matter_id)
    blobs.delete_all(matter_id)
    for generation in generations.live():
        for pk in documents:
            generations.index(generation).delete_document(pk)


def rename(matter: Matter, name: str) -> Matter:
    matter.name = name.strip()
    with transaction.atomic():
        matter.save(update_fields=["name"])
        audit.record(Act.CHANGE, f"matter:{matter.pk}", matter_id=matter.pk, text=matter.name)
    return matter


def pause(matter: Matter) -> Matter:
    """Its documents wait; what is being worked on now is finished."""
    return _pause(matter, is_paused=True)


def resume(matter: Matter) -> Matter:
    return _pause(matter, is_paused=False)


def _pause(matter: Matter, *, is_paused: bool) -> Matter:
    matter.is_paused = is_paused
    with transaction.atomic():
        matter.save(update_fields=["is_paused"])
        audit.record(Act.CHANGE, f"matter:{matter.pk}", matter_id=matter.pk, details={"is_paused": is_paused})
    return matter


def set_member(matter: Matter, user: User, role: Role) -> None:
    """Let a person in, or change what they may do. Raises LastManager."""
    with keeping_a_manager(matter):
        Membership.objects.update_or_create(matter=matter, user=user, defaults={"role": role})
        _granted(matter, f"user:{user.pk}", role)


def remove_member(matter: Matter, user: User) -> None:
    """Raises LastManager."""
    with keeping_a_manager(matter):
        Membership.objects.filter(matter=matter, user=user).delete()
        _granted(matter, f"user:{user.pk}", None)


def set_group(matter: Matter, group: Group, role: Role) -> None:
    """Let everybody in the group in, or change what they may do. Raises LastManager."""
    with keeping_a_manager(matter):
        GroupMembership.objects.update_or_create(matter=matter, group=group, defaults={"role": role})
        _granted(matter, f"group:{group.pk}", role)


def remove_group(matter: Matter, group: Group) -> None:
    """Raises LastManager."""
    with keeping_a_manager(matter):
        GroupMembership.objects.filter(matter=matter, group=group).delete()
        _granted(matter, f"group:{group.pk}", None)


def _granted(matter: Matter, whom: str, role: Role | None) -> None:
    details = {"role": role.label.lower() if role else "none"}
    audit.record(Act.PERMISSION, whom, matter_id=matter.pk, details=details)


@contextmanager
def keeping_a_manager(matter: Matter) -> Iterator[None]:
    """A transaction that is undone, with LastManager, if it takes away the matter's last manager."""
    with transaction.atomic():
        # Of two who take each other out at once, the second finds what the first has done.
        Matter.objects.select_for_update().filter(pk=matter.pk).first()
        had_one = access.managers_of(matter).exists()
        yield
        if had_one and not access.managers_of(matter).exists():
            raise LastManager("A matter needs a manager: name another one first.")
