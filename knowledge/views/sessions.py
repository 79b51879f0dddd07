"""Where a person is signed in, and ending it there."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from knowledge import access, sign_ins
from knowledge.api.auth import person_of


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = access.sign_ins_of(person_of(request)).open()
    context = {"sign_ins": rows, "here": request.session.session_key}
    return render(request, "sessions.html", context)


@require_POST
def end(request: HttpRequest, sign_in_id: int) -> HttpResponse:
    sign_ins.end(access.sign_in_for(request.user, sign_in_id))
    messages.success(request, "Signed out there.")
    return redirect("sessions")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    sign_ins.end_others(access.sign_ins_of(person_of(request)), request.session.session_key)
    messages.success(request, "Signed out everywhere else.")
    return redirect("sessions")
