"""The one way into a session, from every door: what a person showed, and what they still have to show.

A password (or single sign-on) opens a session at once for somebody without a second factor; for the others
it is remembered for a few minutes, until the second one fits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare

from knowledge import audit, factors
from knowledge.audit.trace import HOW
from knowledge.models import SignIn
from knowledge.models.service import is_service

BACKEND = "django.contrib.auth.backends.ModelBackend"
WAITING = "pincite.waiting"  # who has shown the first factor
FACTOR = "pincite.factor"  # whether this session has shown a second one
SHOWN = "pincite.shown"  # when it last showed anything
WAITING_SECONDS = 600
RECENT_SECONDS = 600


@dataclass(frozen=True)
class Waiting:
    """Somebody whose first factor fits and whose second is awaited."""

    person: User
    by: str
    next: str


def enter(
    request: HttpRequest, person: User, next_url: str, *, by: str, shown: int | None = None
) -> HttpResponse:
    """This person's first factor fits: let them in, or ask for the second. `next_url` is one of ours.

    `shown`: when they showed it, in seconds of the epoch; just now when left out, 0 when nobody says.

    Raises PermissionDenied for a service account, even when somebody gave it a password.
    """
    if is_service(person):
        audit.record(audit.Act.REFUSED, f"user:{person.pk}", details={"by": by, "why": "service account"})
        raise PermissionDenied("A service account has no way in by a browser.")
    waits = Waiting(person, by, next_url)
    if not factors.has_any(person):
        return _open(request, waits, factor="", shown=shown)
    _leave(request)
    request.session.cycle_key()
    request.session[WAITING] = {
        "person": person.pk,
        "account": person.get_session_auth_hash(),
        "by": by,
        "next": next_url,
        "at": int(time.time()),
    }
    return redirect("second_step")


def waiting(request: HttpRequest) -> Waiting | None:
    """Who waits in this session; nobody after a while, or when their account or password has changed."""
    kept = request.session.get(WAITING)
    if not kept or kept["at"] < time.time() - WAITING_SECONDS:
        return None
    person = User.objects.filter(pk=kept["person"], is_active=True).first()
    if person is None or not constant_time_compare(kept["account"], person.get_session_auth_hash()):
        return None
    return Waiting(person, kept["by"], kept["next"])


def finish(request: HttpRequest, waits: Waiting, factor: str) -> HttpResponse:
    """The second factor fits too."""
    return _open(request, waits, factor)


def attempt(request: HttpRequest, person: User, proof: Callable[[], Any]) -> str:
    """The name of the factor that fits, or nothing.

    A wrong one counts as a wrong password: after five failures of either kind the name is locked. One attempt
    at a time for each person, so that many at once are no way round the limit.
    """
    credentials = {"username": person.get_username()}
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        if not AxesProxyHandler.is_allowed(request, credentials):
            request.axes_locked_out = True  # type: ignore[attr-defined]  # django-axes answers for us
            return ""
        factor = proof()
        if factor is None:
            failed = {**credentials, "second factor": True}
            user_login_failed.send(sender=__name__, credentials=failed, request=request)
            return ""
        factor.record_usage()
    return factors.NAMES[factor.type]


def show_factor(request: HttpRequest) -> None:
    """This session has shown, or was given, a second factor."""
    request.session[FACTOR] = True
    request.session[SHOWN] = int(time.time())


def forget_factor(request: HttpRequest) -> None:
    """The last factor is gone."""
    request.session[FACTOR] = False


def show_password(request: HttpRequest, person: User, password: str) -> bool:
    """For somebody who is in and has nothing stronger; a wrong one counts as when signing in."""
    found = authenticate(request, username=person.get_username(), password=password)
    if found is None or found.pk != person.pk:
        return False
    request.session[SHOWN] = int(time.time())
    return True


def has_shown_factor(request: HttpRequest) -> bool:
    return bool(request.session.get(FACTOR))


def is_recent(request: HttpRequest, person: User) -> bool:
    """Whether they showed a moment ago that it is them, by the strongest that they have."""
    is_fresh = request.session.get(SHOWN, 0) > time.time() - RECENT_SECONDS
    return is_fresh and (has_shown_factor(request) or not factors.has_any(person))


def lacks_factor(request: HttpRequest) -> bool:
    """Whether this session may reach nothing but the pages where a second factor is set up or shown."""
    return settings.REQUIRE_MFA and request.user.is_authenticated and not has_shown_factor(request)


def _leave(request: HttpRequest) -> None:
    """Who waits shares no session with who is in: its row would not name it any more, to be ended by."""
    with transaction.atomic():
        SignIn.objects.filter(session_key=request.session.session_key).delete()
        logout(request)


def _open(request: HttpRequest, waits: Waiting, factor: str, shown: int | None = None) -> HttpResponse:
    request.META[HOW] = {"by": waits.by, "second factor": factor or "none"}
    login(request, waits.person, backend=getattr(waits.person, "backend", BACKEND))
    request.session.pop(WAITING, None)
    request.session[FACTOR] = bool(factor)
    request.session[SHOWN] = int(time.time()) if shown is None else shown
    return redirect(waits.next)
