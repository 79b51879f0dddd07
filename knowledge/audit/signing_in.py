"""Signing in and out, recorded. Django and the sign-in libraries tell of it by these signals alone."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.http import HttpRequest

from knowledge import audit
from knowledge.audit import trace
from knowledge.models import SignIn


def connect() -> None:
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    user_login_failed.connect(_refused)


def _signed_in(user: User, request: HttpRequest, **_named: Any) -> None:
    if not request.session.session_key:
        request.session.save()
    agent, address = request.headers.get("User-Agent", "")[:300], trace.address(request)
    with transaction.atomic():
        SignIn.objects.update_or_create(
            session_key=request.session.session_key,
            defaults={"user": user, "address": address, "agent": agent},
        )
        audit.record(audit.Act.SIGN_IN, by=user, details=request.META.get(trace.HOW))


def _signed_out(user: User | None, **_named: Any) -> None:
    if user is not None:
        audit.record(audit.Act.SIGN_OUT, by=user)


def _refused(credentials: dict[str, Any], **_named: Any) -> None:
    """Only the name of somebody who exists is kept: people type passwords into the wrong field."""
    name = credentials.get("username")
    person = User.objects.filter(username=name).first() if isinstance(name, str) else None
    details = {"second factor": "wrong"} if credentials.get("second factor") else None
    audit.record(audit.Act.REFUSED, f"user:{person.pk}" if person else "nobody who is known", details=details)
