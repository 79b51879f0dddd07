"""Passages of a matter that match a query."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from inference.errors import InferenceError
from knowledge import access, generations
from knowledge import search as passages
from knowledge.index import IndexUnavailable

RESULTS = 20


@require_safe
def search(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id)
    query = request.GET.get("q")
    results, problem, status = [], "", 200
    if query is not None:
        try:
            results = passages.retrieve(access.scope_for(request.user, matter), query, RESULTS)
        except passages.BadQuery as error:
            problem, status = str(error), 422
        except (InferenceError, IndexUnavailable) as error:
            problem, status = f"Search is not available just now. {error}", 503
    left = generations.rebuilding(frozenset({matter.pk})) if results else 0
    context = {"matter": matter, "query": query, "results": results, "problem": problem, "rebuilding": left}
    return render(request, "matters/search.html", context, status=status)
