"""Searches that are kept, and the report of how often each term is found."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from knowledge import access, saved
from knowledge.api.auth import person_of
from knowledge.exact import report as reports
from knowledge.forms import SavedSearchForm
from knowledge.query import QueryError
from knowledge.views import search


@require_POST
def save(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id)
    form = SavedSearchForm(request.POST)
    query = request.POST.get("q", "")
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for each in form.errors.values() for text in each))
        return _to(matter_id, query)
    try:
        kept = saved.keep(person_of(request), matter, form.cleaned_data["name"], query)
    except (QueryError, saved.TooManySaved) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{kept.name}” is saved.")
    return _to(matter_id, query)


@require_POST
def forget(request: HttpRequest, search_id: UUID) -> HttpResponse:
    kept = access.saved_search_for(request.user, search_id)
    saved.forget(kept)
    messages.success(request, f"“{kept.name}” is deleted.")
    return redirect("search", kept.matter_id)


@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """How often each term is found, as CSV: the terms of a query, or of a list with one on each line."""
    matter = access.matter_for(request.user, matter_id)
    try:
        terms = [line.strip() for line in request.POST.get("terms", "").splitlines() if line.strip()]
        lines = reports.lines(
            access.scope_for(request.user, matter), terms or reports.terms_of(request.GET.get("q", ""))
        )
    except (QueryError, reports.BadTerm) as error:
        return search.page(request, matter, search.Outcome(problem=f"No report: {error}", status=422))
    response = HttpResponse(reports.as_csv(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="hits.csv"'
    return response


def _to(matter_id: UUID, query: str) -> HttpResponse:
    address = reverse("search", args=[matter_id])
    return redirect(f"{address}?{urlencode({'q': query})}" if query else address)
