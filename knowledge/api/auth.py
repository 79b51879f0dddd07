"""Who is calling: a token in the Authorization header, or the session of a signed-in browser."""

from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from knowledge import access
from knowledge.models import ApiToken
from knowledge.models.token import digest

CREDENTIAL = "pincite.credential"  # in META: the digest of the token this call came with


class TokenAuth(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        person = ApiToken.person(token)
        if person is not None:
            request.user = person
            request.META[CREDENTIAL] = digest(token)
        return person


def person_of(request: HttpRequest) -> User:
    """The person behind an authenticated call."""
    person = request.user
    if not isinstance(person, User):
        raise TypeError("An operation ran without authentication.")
    return person


def watch(request: HttpRequest, matter_id: UUID) -> Callable[[], bool]:
    """Asks whether this caller may still read this matter: the person, and the token or session they use."""
    user_id, credential = person_of(request).pk, request.META.get(CREDENTIAL)
    session = request.session.session_key

    def allowed() -> bool:
        if credential is None:
            held = Session.objects.filter(pk=session, expire_date__gt=timezone.now()).exists()
        else:
            held = ApiToken.objects.filter(digest=credential).exists()
        return held and access.open_to(user_id).filter(pk=matter_id).exists()

    return allowed
