"""Groups of people in a matter, and ethical walls: who may not see it, whatever else they are granted."""

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils import timezone

from knowledge.models.matter import Matter, Role


class GroupMembership(models.Model):
    """Everybody in the group has this role in the matter."""

    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="group_memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="matter_memberships")
    role = models.IntegerField(choices=Role.choices, default=Role.READER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["matter", "group"], name="one_membership_per_group")]

    def __str__(self) -> str:
        return f"{self.group} is {Role(self.role).label} of {self.matter}"


class WallQuerySet(models.QuerySet["Wall"]):
    def standing(self, now: datetime | None = None) -> "WallQuerySet":
        """The walls that hold now."""
        now = now or timezone.now()
        return self.filter(Q(until=None) | Q(until__gt=now), since__lte=now)

    def against(self, user_id: int) -> "WallQuerySet":
        """Against this person, by name or by one of their groups."""
        groups = Group.objects.filter(user=user_id).values("pk")
        return self.filter(Q(user=user_id) | Q(group__in=groups))


class Wall(models.Model):
    """Against one person or one group; it beats every membership. Lifting ends it, the row stays."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="walls")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="walls"
    )
    # Deleting a group must not open what its wall closes.
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.PROTECT, related_name="walls")
    reason = models.TextField()  # for those who manage the matter
    # What the people behind the wall are told on their first page; empty: they do not learn of the matter.
    notice = models.TextField(blank=True)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)  # None: until it is lifted
    created = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="walls_raised"
    )

    objects = WallQuerySet.as_manager()

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, group__isnull=False) | Q(user__isnull=False, group=None),
                name="wall_against_one_person_or_group",
            )
        ]

    def __str__(self) -> str:
        return f"{self.whom} may not see {self.matter}"

    @property
    def whom(self) -> str:
        return f"the group {self.group}" if self.group else str(self.user)

    @property
    def is_standing(self) -> bool:
        now = timezone.now()
        return self.since <= now and (self.until is None or self.until > now)

    @property
    def is_over(self) -> bool:
        return self.until is not None and self.until <= timezone.now()
