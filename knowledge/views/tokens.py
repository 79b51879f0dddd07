"""A person's own tokens: making them, shown once, and revoking them."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from knowledge import access, entrance, tokens
from knowledge.api.auth import person_of
from knowledge.forms import TokenForm
from knowledge.views.entrance import ask_again


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Whoever makes one has shown a moment ago that it is them; to see and to revoke them anybody may."""
    person = person_of(request)
    if request.method == "POST" and not entrance.is_recent(request, person):
        return ask_again(request, reverse("tokens"))
    form = TokenForm(request.POST if request.method == "POST" else None, access.matters_of(person))
    made = _issue(request, form) if form.is_bound and form.is_valid() else ""
    context = {"tokens": person.api_tokens.prefetch_related("matters"), "form": form, "made": made}
    return render(request, "tokens.html", context, status=422 if form.errors else 200)


@require_POST
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    token = access.token_for(person_of(request), token_id)
    tokens.revoke(token)
    messages.success(request, f"“{token.name}” is revoked.")
    return redirect("tokens")


def _issue(request: HttpRequest, form: TokenForm) -> str:
    chosen = form.cleaned_data
    expires = timezone.now() + timedelta(days=chosen["days"]) if chosen["days"] else None
    wish = tokens.Wish(chosen["rights"], list(chosen["matters"]) or None, expires)
    return tokens.issue(person_of(request), chosen["name"], wish)
