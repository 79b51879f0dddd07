"""Signing in: the password, the second step, and showing again that it is you before a change."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from knowledge import audit, entrance, factors, oidc
from knowledge.api.auth import person_of
from knowledge.forms import FactorForm


class SignIn(LoginView):
    template_name = "login.html"

    def get_context_data(self, **named: Any) -> dict[str, Any]:
        provider = settings.OIDC_NAME if settings.OIDC_ISSUER else ""
        return {**super().get_context_data(**named), "provider": provider}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        return entrance.enter(self.request, form.get_user(), self.get_success_url(), by="password")


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    waits = entrance.waiting(request)
    if waits is None:
        return redirect("matters" if request.user.is_authenticated else "login")
    form = FactorForm(request.POST if request.method == "POST" else None)
    if form.is_bound and (factor := _shown(request, waits.person, form)):
        return entrance.finish(request, waits, factor)
    return render(request, "second_step.html", _context(waits.person, form), status=_status(form))


@login_not_required
@require_safe
def single_sign_on(request: HttpRequest) -> HttpResponse:
    """To the provider that the settings name; also for somebody who is in, to confirm that it is them."""
    if not settings.OIDC_ISSUER:
        raise Http404("There is no single sign-on here.")
    return oidc.begin(request, ours(request, request.GET.get("next", ""), "matters"))


@login_not_required
@require_safe
def back_from_provider(request: HttpRequest) -> HttpResponse:
    if not settings.OIDC_ISSUER:
        raise Http404("There is no single sign-on here.")
    return oidc.finish(request)


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Show again that it is you, by the strongest that you have."""
    person = person_of(request)
    form = FactorForm(request.POST if request.method == "POST" else None)
    if form.is_bound and _confirmed(request, person, form):
        return redirect(ours(request, request.POST.get("next", ""), "factors"))
    provider = settings.OIDC_NAME if settings.OIDC_ISSUER else ""
    has_password = person.has_usable_password() or not provider  # in a directory, where not here
    asks = "factor" if factors.has_any(person) else "password" if has_password else "provider"
    back = ours(request, request.GET.get("next", ""), "factors")
    context = {**_context(person, form), "asks": asks, "next": back, "provider": provider}
    return render(request, "confirm.html", context, status=_status(form))


def ask_again(request: HttpRequest, back: str) -> HttpResponse:
    """To where people show again that it is them, and from there `back`; what was sent here is not done."""
    if request.method == "POST":
        details = {"needs": "to show again that it is them"}
        audit.record(audit.Act.DENIED, f"path:{request.path}", details=details)
    return redirect(f"{reverse('confirm')}?{urlencode({'next': back})}")


def ours(request: HttpRequest, address: str, otherwise: str) -> str:
    """The address when it is one of this service; it came from the browser."""
    hosts = {request.get_host()}
    is_ours = url_has_allowed_host_and_scheme(address, hosts, require_https=request.is_secure())
    return address if is_ours else resolve_url(otherwise)


def _confirmed(request: HttpRequest, person: User, form: FactorForm) -> bool:
    if factors.has_any(person):
        shown = _shown(request, person, form)
        if shown:
            entrance.show_factor(request)
    else:
        is_shown = form.is_valid() and entrance.show_password(request, person, form.cleaned_data["password"])
        shown = "password" if is_shown else ""
    if shown:
        audit.record(audit.Act.SIGN_IN, "confirmed", details={"again by": shown})
    return bool(shown)


def _shown(request: HttpRequest, person: User, form: FactorForm) -> str:
    """The name of the factor that the form holds, if it fits."""
    if not form.is_valid():
        return ""
    code, credential = form.cleaned_data["code"], form.cleaned_data["credential"]
    if credential:
        return entrance.attempt(request, person, lambda: factors.fitting_key(person, credential))
    return entrance.attempt(request, person, lambda: factors.fitting_code(person, code))


def _context(person: User, form: FactorForm) -> dict[str, Any]:
    options = factors.challenge(person)
    return {"form": form, "person": person, "options": options, "required": settings.REQUIRE_MFA}


def _status(form: FactorForm) -> int:
    return 422 if form.is_bound else 200
