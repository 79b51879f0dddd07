"""Who is calling: a token in the Authorization header, or the session of a signed-in browser."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from ninja.security import HttpBearer

from knowledge import access, entrance, rates
from knowledge.api import rights
from knowledge.audit.trace import CREDENTIAL
from knowledge.models import ApiToken
from knowledge.models.token import Right, digest

ALLOWANCE = "pincite.allowance"  # in META: what the token may still call, for the headers of the response


class RightMissing(Exception):
    """The token is good, but not for this."""

    def __init__(self, right: Right) -> None:
        super().__init__(f"This token lacks the right “{right.value}”.")
        self.right = right


class TokenAuth(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """The token's person; raises rates.TooMany or RightMissing before anything is looked at."""
        row = ApiToken.valid(token)
        if row is None:
            return None
        allowance = rates.count(row)
        request.META[ALLOWANCE] = allowance
        if allowance.is_over:
            raise rates.TooMany(f"At most {allowance.most} calls a minute.")
        request.user = row.bearer()  # a refusal too is recorded with who was refused
        request.META[CREDENTIAL] = digest(token)
        route = request.resolver_match.route if request.resolver_match else ""
        right = rights.needed(request.method or "", route)
        if right not in row.rights:
            raise RightMissing(right)
        return row.user


def person_of(request: HttpRequest) -> User:
    """The person behind an authenticated call."""
    person = request.user
    if not isinstance(person, User):
        raise TypeError("An operation ran without authentication.")
    return person


def watch(request: HttpRequest, matter_id: UUID) -> Callable[[], bool]:
    """Asks whether this caller may still read this matter: the person, and the token or session they use."""
    return _watching(request, lambda person_id: access.open_to(person_id).filter(pk=matter_id).exists())


def watch_audit(request: HttpRequest) -> Callable[[], bool]:
    """Asks whether this caller may still read the audit."""
    return _watching(request, access.is_still_auditor)


def _watching(request: HttpRequest, may: Callable[[int], bool]) -> Callable[[], bool]:
    user_id, credential = person_of(request).pk, request.META.get(CREDENTIAL)
    session = request.session.session_key

    def allowed() -> bool:
        if credential is None:
            held = _holds(session, user_id)
        else:
            held = ApiToken.holding().filter(digest=credential).exists()
        return held and may(user_id)

    return allowed


def _holds(session: str | None, user_id: int) -> bool:
    """Whether this session would still open a page: not ended, of the present password, the factor shown."""
    row = Session.objects.filter(pk=session, expire_date__gt=timezone.now()).first()
    person = User.objects.filter(pk=user_id).first()
    if row is None or person is None:
        return False
    kept = row.get_decoded()
    if not constant_time_compare(kept.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash()):
        return False
    return not settings.REQUIRE_MFA or bool(kept.get(entrance.FACTOR))
