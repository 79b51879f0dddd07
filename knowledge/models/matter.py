"""Matters and their members: the unit of permission, and the tenant of the index."""

import uuid

from django.conf import settings
from django.db import models


class Role(models.IntegerChoices):
    """What a person may do in a matter; a higher role includes the lower ones."""

    READER = 1, "Reader"  # read, search, ask
    MEMBER = 2, "Member"  # and upload
    MANAGER = 3, "Manager"  # and delete, retry, manage members


class Matter(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    created = models.DateTimeField(auto_now_add=True)
    is_paused = models.BooleanField(default=False)  # its jobs wait
    served = models.DateTimeField(null=True)  # when a worker last took a job of it; matters take turns
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="matters")

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.IntegerField(choices=Role.choices, default=Role.READER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["matter", "user"], name="one_membership_per_person")]

    def __str__(self) -> str:
        return f"{self.user} is {Role(self.role).label} of {self.matter}"
