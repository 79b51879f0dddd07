"""Who is calling: a token in the Authorization header, or the session of a signed-in browser."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from knowledge.models import ApiToken


class TokenAuth(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        person = ApiToken.person(token)
        if person is not None:
            request.user = person
        return person


def person_of(request: HttpRequest) -> User:
    """The person behind an authenticated call."""
    person = request.user
    if not isinstance(person, User):
        raise TypeError("An operation ran without authentication.")
    return person
