"""Service accounts: rows of people that are no people, but programs."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models


class ServiceAccount(models.Model):
    """Marks its user as a program: in matters as a person is, with tokens, and no way in by a browser."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="service_account"
    )
    purpose = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user__username"]

    def __str__(self) -> str:
        return self.user.get_username()


def is_service(person: User | AnonymousUser) -> bool:
    return getattr(person, "service_account", None) is not None
