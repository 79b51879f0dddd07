"""Reads and denials are recorded here, after the view and before a byte goes out; changes record themselves.

A route that nobody classified is recorded: forgetting costs an event too many, never one too few.
"""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from knowledge import audit
from knowledge.audit import trace
from knowledge.audit.trace import Trace
from knowledge.models import AuditEvent
from knowledge.streams import give_back_connection

# Routes whose reading tells nothing of a matter.
SILENT = frozenset(
    """
    login second_step logout confirm health matters sessions factors factor_app factor_key tokens
    api:list_matters api:list_tokens api:get_health api:list_roles api:list_known_groups api:list_sessions
    api:api-root api:openapi-json api:openapi-view
    """.split()
)
# A list that renews itself is recorded once a minute.
RENEWED = frozenset({"documents"})
RENEWED_SECONDS = 60
EXPORTS = frozenset(
    """
    document_file run_table api:get_report api:get_file api:get_table api:report_hits api:export_matter
    """.split()
)
PLACE = ("version", "page", "start", "end", "person", "username")


class AuditMiddleware(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        trace.begin(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """What cannot be recorded is not sent: the error becomes the response."""
        try:
            match, told = request.resolver_match, trace.end()
            if match is not None and told is not None and request.user.is_authenticated:
                trace.begin(request)
                _record(told, match, response.status_code)
        finally:
            trace.end()
            if response.streaming:
                give_back_connection()
        return response


def _record(told: Trace, match: ResolverMatch, status: int) -> None:
    if status in {403, 404}:
        _note(told, match, audit.Act.DENIED)
    elif status >= 400 or told.recorded:
        return
    elif told.request.method in {"GET", "HEAD"} or match.view_name in EXPORTS:
        if not _is_silent(told, match):
            _note(told, match, _read(told.request, match))
    elif match.app_name == "admin":
        _note(told, match, audit.Act.ADMIN)
    elif match.view_name not in SILENT:
        _note(told, match, audit.Act.CHANGE)


def _is_silent(told: Trace, match: ResolverMatch) -> bool:
    if match.view_name in RENEWED:
        return _is_fresh(told, match)
    return match.view_name in SILENT or match.app_name == "admin"


def _read(request: HttpRequest, match: ResolverMatch) -> audit.Act:
    if match.view_name in EXPORTS:
        return audit.Act.EXPORT
    return audit.Act.SEARCH if request.GET.get("q") else audit.Act.READ


def _note(told: Trace, match: ResolverMatch, act: audit.Act) -> None:
    audit.record(
        act,
        _subject(match),
        matter_id=told.matter_id if act != audit.Act.DENIED else None,
        text=told.request.GET.get("q", "") if act == audit.Act.SEARCH else "",
        details=_details(told.request, match),
    )


def _subject(match: ResolverMatch) -> str:
    """The object that the address names: "document:<id>"; without one the route."""
    named = [
        f"{key.removesuffix('_id')}:{value}" for key, value in match.kwargs.items() if key.endswith("_id")
    ]
    return named[0] if named else f"route:{match.view_name}"


def _details(request: HttpRequest, match: ResolverMatch) -> dict[str, Any]:
    place = {key: request.GET[key][:150] for key in PLACE if request.GET.get(key)}
    page = {"page": str(match.kwargs["number"])} if "number" in match.kwargs else {}
    return {"route": match.view_name, "method": request.method, **place, **page}


def _is_fresh(told: Trace, match: ResolverMatch) -> bool:
    """Whether this person's same list was recorded a moment ago."""
    since = timezone.now() - timedelta(seconds=RENEWED_SECONDS)
    newest = AuditEvent.objects.filter(person_id=told.request.user.pk).order_by("-sequence")[:20]
    return any(event.at > since and event.subject == _subject(match) for event in newest)
