"""The service itself: whether it is well, how much is used, and everything of a matter in one file."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from knowledge import access, documents, streams, usage
from knowledge.api import cursors
from knowledge.api.auth import person_of, watch
from knowledge.api.schemas import AnswerOut, DocumentOut, MatterOut
from knowledge.models import Matter
from knowledge.views.health import health as state

router = Router(tags=["service"])
AT_ONCE = 200  # rows of an export
Row = TypeVar("Row", bound=Model)
NDJSON = {"schema": {"type": "string"}, "example": '{"kind": "matter", "id": "…"}\n{"kind": "document"}\n'}


class HealthOut(Schema):
    status: str = Field(description="ok, or degraded.", examples=["ok"])
    database: bool
    broker: bool
    index: bool


class UsageOut(Schema):
    documents: int
    versions: int
    pages: int
    passages: int
    bytes: int
    characters: int
    answers: int
    answers_lately: int = Field(description="In the last 30 days.")
    seconds_generating: float = Field(description="In the last 30 days.")


@router.get(
    "/health", response={200: HealthOut, 503: HealthOut}, auth=None, summary="Whether the service is well"
)
def get_health(request: HttpRequest) -> HttpResponse:
    return state(request)


@router.get("/matters/{uuid:matter_id}/usage", response=UsageOut, summary="How much is in it and used")
def get_usage(request: HttpRequest, matter_id: UUID) -> UsageOut:
    return UsageOut(**asdict(usage.of(access.matter_for(person_of(request), matter_id))))


@router.get("/matters/{uuid:matter_id}/answers", response=list[AnswerOut], summary="Answers, newest first")
def list_answers(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[AnswerOut]:
    rows = access.matter_for(person_of(request), matter_id).answers.all()
    return [AnswerOut.of(row) for row in cursors.piece(request, response, rows, ("-created", "-pk"), at)]


@router.get(
    "/matters/{uuid:matter_id}/export",
    summary="The matter, its documents and answers, a line of JSON for each",
    openapi_extra={"responses": {200: {"content": {"application/x-ndjson": NDJSON}}}},
)
def export_matter(request: HttpRequest, matter_id: UUID) -> StreamingHttpResponse:
    matter = access.matter_for(person_of(request), matter_id)
    lines = _streamed(matter, watch(request, matter.pk))
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="matter-{matter.pk}.ndjson"'
    return response


async def _streamed(matter: Matter, allowed: streams.Allowed) -> AsyncIterator[bytes]:
    """Piece by piece, so that a large matter is never held in memory and no connection between two pieces.

    It breaks off as soon as the caller may not read the matter any more.
    """
    yield await streams.in_thread(_head, matter)
    for piece in (_documents, _answers):
        last: UUID | None = None
        while True:
            if not await streams.in_thread(allowed):
                return
            lines, last = await streams.in_thread(piece, matter, last)
            if not lines:
                break
            yield lines


def _head(matter: Matter) -> bytes:
    return _line("matter", MatterOut.of(matter))


def _documents(matter: Matter, last: UUID | None) -> tuple[bytes, UUID | None]:
    rows = list(_behind(documents.listing(matter), last))
    lines = b"".join(_line("document", DocumentOut.of(row)) for row in rows)
    return lines, rows[-1].pk if rows else None


def _answers(matter: Matter, last: UUID | None) -> tuple[bytes, UUID | None]:
    rows = list(_behind(matter.answers.all(), last))
    lines = b"".join(_line("answer", AnswerOut.of(row)) for row in rows)
    return lines, rows[-1].pk if rows else None


def _behind(rows: QuerySet[Row], last: UUID | None) -> QuerySet[Row]:
    """The next rows by their ids, which nothing that is added meanwhile can shift."""
    left = rows if last is None else rows.filter(pk__gt=last)
    return left.order_by("pk")[:AT_ONCE]


def _line(kind: str, row: Schema) -> bytes:
    told = row.model_dump_json()
    return f'{{"kind": "{kind}", {told[1:]}\n'.encode()
