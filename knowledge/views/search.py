"""What of a matter matches a query: passages that words rank, documents that the exact parts find."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from inference.errors import InferenceError
from knowledge import access, generations, highlight, lookup, retry, saved
from knowledge.access import Scope
from knowledge.api.auth import person_of
from knowledge.exact.catalogue import Facet
from knowledge.forms import SearchForm
from knowledge.index import IndexUnavailable
from knowledge.models import Matter
from knowledge.query import Or, Query, QueryError
from knowledge.query.fields import FIELDS
from knowledge.search import BadQuery

AROUND = 60  # characters of a query shown on each side of a mistake


@dataclass(frozen=True)
class Outcome:
    """What a request for a search came to."""

    found: lookup.Found | None = None
    alike: list[lookup.Group] | None = None
    problem: str = ""
    pointed: list[highlight.Piece] = field(default_factory=list)  # the query, with the mistake marked
    status: int = 200
    wait: int | None = None  # seconds, where the search may be tried again


@require_safe
def search(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    return page(request, access.matter_for(request.user, matter_id))


def page(request: HttpRequest, matter: Matter, outcome: Outcome | None = None) -> HttpResponse:
    """The page of searches; `outcome` where it is known already, as of a report that could not be made."""
    text = request.GET.get("q", "")
    form = SearchForm(request.GET)
    form.is_valid()
    outcome = outcome or _outcome(request, matter, text, form.cleaned_data)
    found = outcome.found
    context = {
        "matter": matter,
        "query": text,
        "form": form,
        "outcome": outcome,
        "found": found,
        "groups": found.groups if found else outcome.alike or [],
        "narrowings": list(_narrowings(text, found)) if found else [],
        "by_itself": form.cleaned_data.get("document"),
        "more": _address(request.GET),
        "rebuilding": generations.rebuilding(frozenset({matter.pk})) if found and not found.is_exact else 0,
        "fields": FIELDS,
        "saved": saved.of(person_of(request), matter),
    }
    shown = render(request, "matters/search.html", context, status=outcome.status)
    return retry.after(shown, outcome.wait)


def _outcome(request: HttpRequest, matter: Matter, text: str, asked: dict[str, Any]) -> Outcome:
    try:
        if asked.get("like"):
            return Outcome(alike=_alike(request, matter, asked))
        if "q" not in request.GET:
            return Outcome()
        scope, wanted = _asked(request, matter, asked)
        return Outcome(found=lookup.find(scope, text, wanted))
    except QueryError as error:
        return Outcome(problem=str(error), pointed=pointed(text, error), status=422)
    except BadQuery as error:
        return Outcome(problem=str(error), status=422)
    except (InferenceError, IndexUnavailable) as error:
        problem = f"Search is not available just now. {error}"
        return Outcome(problem=problem, status=503, wait=retry.seconds(error))


def _asked(request: HttpRequest, matter: Matter, asked: dict[str, Any]) -> tuple[Scope, lookup.Wanted]:
    only = asked.get("document")
    documents = None if only is None else [access.document_for(request.user, only).pk]
    wanted = lookup.Wanted(
        page=asked.get("page") or 1,
        order=asked.get("order") or "places",
        places=lookup.PLACES if only is None else lookup.ALL_PLACES,
    )
    return access.scope_for(request.user, matter, documents), wanted


def _alike(request: HttpRequest, matter: Matter, asked: dict[str, Any]) -> list[lookup.Group]:
    version = access.version_for(request.user, asked["like"])
    return lookup.like(access.scope_for(request.user, matter), version, asked.get("at") or 0)


def pointed(text: str, error: QueryError) -> list[highlight.Piece]:
    """The query about a mistake, with the mistake marked."""
    begin, end = max(0, error.start - AROUND), min(len(text), error.end + AROUND)
    shown = highlight.spans(text[begin:end], [(error.start - begin, error.end - begin)])
    return [
        *([highlight.Piece("…")] if begin else []),
        *shown,
        *([highlight.Piece("…")] if end < len(text) else []),
    ]


def _narrowings(text: str, found: lookup.Found) -> Iterator[tuple[Facet, list[tuple[Any, str]]]]:
    """Each value of each facet, with the query that keeps only its documents."""
    for facet in found.facets:
        yield facet, [(value, narrowed(text, found.query, value.term)) for value in facet.values]


def narrowed(text: str, query: Query, term: str) -> str:
    return f"({text}) {term}" if isinstance(query.exact, Or) and not query.words else f"{text} {term}"


def _address(asked: QueryDict) -> str:
    """The search as it is, for links to its other pages."""
    kept = asked.copy()
    kept.pop("page", None)
    return kept.urlencode()
