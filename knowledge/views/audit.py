"""The audit, for auditors: browsed, filtered and exported."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from knowledge import access, audit
from knowledge.api.auth import person_of, watch_audit
from knowledge.audit import export
from knowledge.forms import AuditForm
from knowledge.models import AuditEvent, Matter

PER_PAGE = 100


@require_safe
def events(request: HttpRequest) -> HttpResponse:
    access.auditor(request.user)
    form, wanted = _wanted(request)
    page = Paginator(export.filtered(wanted), PER_PAGE).get_page(request.GET.get("page"))
    open_to = frozenset(access.matters_of(request.user).values_list("pk", flat=True))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "form": form, "page": page, "query": query.urlencode(), "rows": _rows(list(page.object_list), open_to)
    }  # fmt: skip
    return render(request, "audit/events.html", context)


@require_safe
def exported(request: HttpRequest, form: str) -> HttpResponseBase:
    """`csv`: what the filter shows, as a table. `jsonl`: the whole chain, for `verify_audit`."""
    access.auditor(request.user)
    _, wanted = _wanted(request)
    audit.record(
        audit.Act.EXPORT, f"audit:{form}", details={key: str(value) for key, value in wanted.items() if value}
    )
    person, allowed = person_of(request), watch_audit(request)
    is_table = form == "csv"
    if is_table:
        pieces = export.stream_table(wanted, person, allowed)
    else:
        pieces = export.stream_chain(person, allowed)
    kind = "text/csv" if is_table else "text/plain"
    response = StreamingHttpResponse(pieces, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d-%H%M}.{form}"'
    return response


def account(request: HttpRequest) -> dict[str, object]:
    """For the navigation of every page: whether this person reads the audit; asked only where it is shown."""
    person = getattr(request, "user", None)
    return {"is_auditor": SimpleLazyObject(lambda: person is not None and access.is_auditor(person))}


def _wanted(request: HttpRequest) -> tuple[AuditForm, dict[str, Any]]:
    """What is not valid counts as not given."""
    form = AuditForm(request.GET)
    form.is_valid()
    return form, form.cleaned_data


def _rows(events: list[AuditEvent], open_to: frozenset[Any]) -> list[dict[str, Any]]:
    names = dict(Matter.objects.in_bulk([event.matter_id for event in events if event.matter_id]))
    return [
        {"event": event, "matter": names.get(event.matter_id), "said": export.visible(event, open_to)}
        for event in events
    ]
