"""Tokens of the REST API. Only a digest is stored; the token is shown once."""

import hashlib
import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

PREFIX = "pincite_"


class ApiToken(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(cls, user: User, name: str) -> str:
        """A new token of this person, in the only moment in which it can be read."""
        token = PREFIX + secrets.token_urlsafe(32)
        cls.objects.create(user=user, name=name, digest=digest(token))
        return token

    @classmethod
    def person(cls, token: str) -> User | None:
        """The active person this token belongs to."""
        row = cls.objects.select_related("user").filter(digest=digest(token), user__is_active=True).first()
        if row is None:
            return None
        cls.objects.filter(pk=row.pk).update(last_used=timezone.now())
        return row.user


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
