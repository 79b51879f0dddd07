"""Raising and lifting ethical walls, and why a person can or cannot see a matter."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from knowledge import access, audit, matters
from knowledge.models import GroupMembership, Matter, Membership, Role, Wall


@dataclass(frozen=True)
class Terms:
    """What a wall is for, what those behind it are told, and for how long it stands."""

    reason: str
    notice: str = ""
    since: datetime | None = None  # None: from now on
    until: datetime | None = None  # None: until it is lifted


class NeverStands(Exception):
    """A wall whose dates leave the matter open."""


def raise_wall(matter: Matter, against: User | Group, terms: Terms, by: User | None) -> Wall:
    """Keep the matter from a person or a group, whatever they are granted.

    Raises matters.LastManager, and NeverStands for dates that are in the wrong order or over.
    """
    now = timezone.now()
    since = terms.since or now
    if terms.until and terms.until <= since and terms.since:
        raise NeverStands("It cannot end before it begins.")
    if terms.until and terms.until <= now:
        raise NeverStands("It would be over already: look at its end.")
    with matters.keeping_a_manager(matter):
        wall = Wall.objects.create(
            matter=matter,
            user=against if isinstance(against, User) else None,
            group=against if isinstance(against, Group) else None,
            reason=terms.reason,
            notice=terms.notice,
            since=since,
            until=terms.until,
            created_by=by,
        )
        _record(wall, terms.reason)
        return wall


def lift(wall: Wall) -> bool:
    """End a wall now; the row stays, as what held until then. False: it was over, and stays as it is."""
    with transaction.atomic():
        wall.refresh_from_db(from_queryset=Wall.objects.select_for_update())
        if wall.is_over:
            return False
        wall.until = now = timezone.now()
        wall.since = min(wall.since, now)  # one that was still to come never stands
        wall.save(update_fields=["since", "until"])
        _record(wall)
    return True


def _record(wall: Wall, reason: str = "") -> None:
    whom = f"user:{wall.user_id}" if wall.user_id else f"group:{wall.group_id}"
    until = wall.until.isoformat() if wall.until else "lifted"
    details = {"wall": str(wall.pk), "since": wall.since.isoformat(), "until": until}
    audit.record(audit.Act.PERMISSION, whom, matter_id=wall.matter_id, text=reason, details=details)


def notices(person: User) -> list[str]:
    """What this person is to be told about walls that stand against them."""
    standing = Wall.objects.standing().against(person.pk).exclude(notice="")
    return list(standing.order_by("since").values_list("notice", flat=True))


@dataclass(frozen=True)
class Explanation:
    """Whether a person may see a matter, in which role, and what that comes from."""

    person: str
    role: Role | None  # None: they may not see it
    because: list[str]

    @property
    def verdict(self) -> str:
        if self.role is None:
            return f"{self.person} cannot see this matter."
        return f"{self.person} can see this matter as {self.role.label.lower()}."


def explain(person: User, matter: Matter) -> Explanation:
    """The verdict is that of the one query which decides; the reasons are read beside it."""
    reasons = [*_person(person), *_walls(person, matter), *_memberships(person, matter)]
    return Explanation(person.get_username(), access.role_in(person, matter), reasons)


def _person(person: User) -> list[str]:
    told = [] if person.is_active else ["Their account is closed."]
    if person.is_staff:
        told.append("They are an administrator; that alone opens no matter.")
    return told


def _walls(person: User, matter: Matter) -> list[str]:
    walls = matter.walls.against(person.pk).select_related("user", "group")
    return [_wall(wall) for wall in walls]


def _wall(wall: Wall) -> str:
    dates = f"from {wall.since:%Y-%m-%d %H:%M}" + (
        f" until {wall.until:%Y-%m-%d %H:%M}" if wall.until else ""
    )
    states = "stands" if wall.is_standing else "is over" if wall.is_over else "is still to come"
    return f"A wall against {wall.whom} {states} ({dates}): {wall.reason}"


def _memberships(person: User, matter: Matter) -> list[str]:
    by_name = Membership.objects.filter(matter=matter, user=person)
    by_group = GroupMembership.objects.filter(matter=matter, group__user=person).select_related("group")
    told = [f"They are {Role(row.role).label.lower()} by name." for row in by_name]
    told += [
        f"The group {row.group} is {Role(row.role).label.lower()}, and they are in it." for row in by_group
    ]
    return told or ["They are a member neither by name nor by a group."]
