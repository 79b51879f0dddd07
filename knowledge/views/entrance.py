"""Signing in: the password, the second step, and showing again that it is you before a change."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from knowledge import entrance, factors, oidc
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


def ours(request: HttpRequest, address: str, otherwise: str) -> str:
    """The address when it is one of this service; it came from the browser."""
    hosts = {request.get_host()}
    is_ours = url_has_allowed_host_and_scheme(address, hosts, require_https=request.is_secure())
    return address if is_ours else resolve_url(otherwise)


def _confirmed(request: HttpRequest, person: User, form: FactorForm) -> bool:
    if factors.has_any(person):
        is_shown = bool(_shown(request, person, form))
        if is_shown:
            entrance.show_factor(request)
        return is_shown
    return form.is_valid() and entrance.show_password(request, person, form.cleaned_data["password"])


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
