"""Tokens of the REST API. Only a digest is stored; the token is shown once."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from knowledge.models.matter import Matter

PREFIX = "pincite_"


class Right(models.TextChoices):
    """What a token may be used for, within what its person may do; none includes another."""

    READ = "read", "Read: see, search and export"
    ASK = "ask", "Ask: questions, conversations, research"
    UPLOAD = "upload", "Upload: send documents"
    MANAGE = "manage", "Manage: open, change and delete; members, webhooks, tokens"


def every_right() -> list[str]:
    return list(Right.values)


class ApiToken(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    rights = models.JSONField(default=every_right)
    # Limited to some matters. A flag of its own, so that deleting the last of them does not open all others.
    is_limited = models.BooleanField(default=False)
    matters = models.ManyToManyField(Matter, related_name="api_tokens", blank=True)
    expires = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)
    # Calls in the present minute, for the rate limit.
    minute = models.PositiveBigIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    @transaction.atomic
    def issue(
        cls,
        user: User,
        name: str,
        rights: Iterable[str] | None = None,
        matters: Iterable[Matter] | None = None,
        expires: datetime | None = None,
    ) -> str:
        """A new token of this person, in the only moment in which it can be read.

        Without `rights` it has every right, without `matters` it reaches all that its person reaches.
        """
        token = PREFIX + secrets.token_urlsafe(32)
        row = cls.objects.create(
            user=user,
            name=name,
            digest=digest(token),
            rights=every_right() if rights is None else sorted(set(rights)),
            is_limited=matters is not None,
            expires=expires,
        )
        row.matters.set(matters or [])
        return token

    @classmethod
    def holding(cls) -> models.QuerySet["ApiToken"]:
        """The tokens that hold now: not expired, and of an active person."""
        lasting = Q(expires=None) | Q(expires__gt=timezone.now())
        return cls.objects.filter(lasting, user__is_active=True)

    @classmethod
    def valid(cls, token: str) -> "ApiToken | None":
        return cls.holding().select_related("user__service_account").filter(digest=digest(token)).first()

    @classmethod
    def person(cls, token: str) -> User | None:
        """The active person this token belongs to, marked with the token they came with."""
        row = cls.valid(token)
        return row.bearer() if row else None

    def bearer(self) -> User:
        self.user.came_with = self  # type: ignore[attr-defined]  # a mark on this object, not a field
        return self.user

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()


def came_with(person: User | AnonymousUser) -> ApiToken | None:
    """The token with which this person came; None for somebody who signed in."""
    return getattr(person, "came_with", None)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
