"""Making tokens: a person may give away what they have, and a token no more than it has itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from knowledge import audit
from knowledge.models import ApiToken, Matter
from knowledge.models.token import came_with, digest


class TooMuch(Exception):
    """A token cannot make one that can do more."""


@dataclass(frozen=True)
class Wish:
    """What a new token is to be able to do; `matters` None: all that its person reaches."""

    rights: Sequence[str]
    matters: Sequence[Matter] | None
    expires: datetime | None


def issue(person: User, name: str, wish: Wish) -> str:
    """A new token. Raises TooMuch when the person came with a token that can do less."""
    maker = came_with(person)
    if maker is not None:
        _check(maker, wish)
    with transaction.atomic():
        token = ApiToken.issue(person, name, wish.rights, wish.matters, wish.expires)
        made = ApiToken.objects.get(digest=digest(token))
        _record(f"token:{made.pk}", person, rights=list(wish.rights))
    return token


def revoke(token: ApiToken) -> None:
    """From the next request on, and within two seconds in an open stream."""
    with transaction.atomic():
        subject = f"token:{token.pk}"  # a deleted row has no key any more
        token.delete()
        _record(subject, token.user, rights=[])


def _record(subject: str, person: User, rights: Sequence[str]) -> None:
    details = {"rights": [str(right) for right in rights], "of": f"user:{person.pk}"}
    audit.record(audit.Act.PERMISSION, subject, details=details)


def _check(maker: ApiToken, wish: Wish) -> None:
    if not set(wish.rights) <= set(maker.rights):
        raise TooMuch("A token cannot give rights that it lacks.")
    if maker.is_limited and wish.matters is None:
        raise TooMuch("A token that is limited to some matters can only make such tokens.")
    if maker.expires and (wish.expires is None or wish.expires > maker.expires):
        raise TooMuch("A token cannot make one that lasts longer.")
