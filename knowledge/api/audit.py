"""The audit over REST, for auditors: browsed and filtered, and the whole chain to be checked offline."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from knowledge import access, audit
from knowledge.api import cursors
from knowledge.api.auth import person_of, watch_audit
from knowledge.audit import export
from knowledge.models import AuditEvent
from knowledge.models.token import came_with

router = Router(tags=["audit"])
LINES = {
    "schema": {"type": "string"},
    "example": '{"act":"read","sequence":1,…}\n{"digest":"…","signature":"…"}\n',
}


class Wanted(Schema):
    person: str = Field("", max_length=150, pattern=r"^[^\x00]*$", examples=["r.mercer"])
    act: AuditEvent.Act | None = Field(None, examples=["read"])
    matter: UUID | None = None
    since: date | None = Field(None, description="From this day on.")
    until: date | None = Field(None, description="The last day.")


class EventOut(Schema):
    sequence: int
    at: datetime
    person: str
    via: str = Field(description="session, token, service or command.", examples=["token"])
    address: str
    act: AuditEvent.Act
    matter_id: UUID | None
    subject: str = Field(examples=["document:6f1c2b1e-8a54-4d0e-9a3b-0d6a5f0c7e11"])
    said: str | None = Field(description="What was asked or named; only where you may see the matter.")
    details: dict[str, Any]
    digest: str

    @staticmethod
    def of(row: AuditEvent, open_to: frozenset[Any]) -> "EventOut":
        said = export.visible(row, open_to)
        plain = ("sequence", "at", "person", "via", "address", "matter_id", "subject", "details", "digest")
        return EventOut(
            act=AuditEvent.Act(row.act),
            said=said.text if said else None,
            **{name: getattr(row, name) for name in plain},
        )


@router.get("/audit", response=list[EventOut], summary="Events of the audit, newest first")
def list_events(
    request: HttpRequest, response: HttpResponse, wanted: Query[Wanted], at: Query[cursors.Place]
) -> list[EventOut]:
    person = _auditor(request)
    open_to = frozenset(access.matters_of(person).values_list("pk", flat=True))
    rows = export.filtered(wanted.model_dump())
    return [EventOut.of(row, open_to) for row in cursors.piece(request, response, rows, ("-sequence",), at)]


@router.get(
    "/audit/export",
    summary="The whole chain with its signed anchors, for `manage.py verify_audit`",
    openapi_extra={"responses": {200: {"content": {"application/x-ndjson": LINES}}}},
)
def export_audit(request: HttpRequest) -> StreamingHttpResponse:
    person = _auditor(request)
    audit.record(audit.Act.EXPORT, "audit:jsonl")
    lines = export.stream_chain(person, watch_audit(request))
    return StreamingHttpResponse(lines, content_type="application/x-ndjson")


def _auditor(request: HttpRequest) -> Any:
    person = person_of(request)
    access.auditor(person)
    token = came_with(person)
    if token is not None and token.is_limited:
        raise PermissionDenied("A token that is limited to some matters does not read the audit of all.")
    return person
