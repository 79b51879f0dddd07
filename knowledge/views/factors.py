"""A person's own second factors: what they have, setting up, taking away."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from knowledge import access, entrance, factors
from knowledge.api.auth import person_of
from knowledge.factors import Kind
from knowledge.forms import FactorForm, KeyForm
from knowledge.sealing import InvalidToken
from knowledge.views.entrance import ask_again

SECRET = "pincite.secret"  # noqa: S105 - where the session keeps it until an app has it
SECRET_SECONDS = 600


def shown_recently(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Only for somebody who showed a moment ago that it is them; for others nothing is done."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        if entrance.is_recent(request, person_of(request)):
            return view(request, *args, **named)
        return ask_again(request, reverse("factors") if request.method == "POST" else request.path)

    return guarded


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    rows = list(factors.held_by(person))
    context = {
        "app": next((row for row in rows if row.type == Kind.TOTP), None),
        "keys": [row for row in rows if row.type == Kind.WEBAUTHN],
        "codes": factors.codes_left(person),
        "required": settings.REQUIRE_MFA,
    }
    return render(request, "factors/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@shown_recently
def app(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: it gets a secret, and a code of it shows that it has."""
    person = person_of(request)
    form = FactorForm(request.POST if request.method == "POST" else None)
    secret = _secret(request)
    if form.is_bound and form.is_valid() and factors.add_app(person, secret, form.cleaned_data["code"]):
        del request.session[SECRET]
        return _added(request, "The app is set up.")
    parts = [secret[place : place + 4] for place in range(0, len(secret), 4)]
    context = {"form": form, "parts": parts, "picture": factors.picture(person, secret)}
    return render(request, "factors/app.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@shown_recently
def key(request: HttpRequest) -> HttpResponse:
    """Add a security key or passkey."""
    person = person_of(request)
    form = KeyForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and factors.add_key(person, **form.cleaned_data):
        return _added(request, f"“{form.cleaned_data['name']}” is added.")
    context = {"form": form, "options": factors.offer(person)}
    return render(request, "factors/key.html", context, status=422 if form.is_bound else 200)


@require_POST
@shown_recently
def codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown once."""
    person = person_of(request)
    if not factors.has_any(person):
        return redirect("factors")
    return render(request, "factors/codes.html", {"codes": factors.new_codes(person)})


@require_POST
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    return _remove(request, access.factor_for(request.user, factor_id))


@shown_recently
def _remove(request: HttpRequest, factor: Authenticator) -> HttpResponse:
    person = person_of(request)
    factors.remove(person, factor)
    if not factors.has_any(person):
        entrance.forget_factor(request)
    messages.success(request, "Removed.")
    return redirect("factors")


def _secret(request: HttpRequest) -> str:
    """The one that is being set up: sealed in the session, and another one after ten minutes."""
    kept = request.session.get(SECRET)
    if isinstance(kept, dict) and kept["at"] > time.time() - SECRET_SECONDS:
        with suppress(InvalidToken):
            return factors.unsealed(kept["sealed"])
    secret = factors.new_secret()
    request.session[SECRET] = {"sealed": factors.sealed(secret), "at": int(time.time())}
    return secret


def _added(request: HttpRequest, told: str) -> HttpResponse:
    """With the first factor come the recovery codes."""
    person = person_of(request)
    entrance.show_factor(request)
    if factors.codes_left(person):
        messages.success(request, told)
        return redirect("factors")
    return render(request, "factors/codes.html", {"codes": factors.new_codes(person), "told": told})
