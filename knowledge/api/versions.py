"""Versions of documents over REST, and their pages: text, and where each character stands."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from knowledge import access, blobs, downloads, pictures
from knowledge import boxes as places
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.schemas import Problem
from knowledge.models import Page, Version

router = Router(tags=["versions"])
Number = Annotated[int, Path(ge=1, le=10**9, examples=[1])]
Width = Annotated[int, Query(ge=pictures.LEAST_WIDTH, le=pictures.MOST_WIDTH, description="In pixels.")]
PNG = {"schema": {"type": "string", "format": "binary"}}


class VersionOut(Schema):
    id: UUID
    document_id: UUID
    number: int
    sha256: str
    size: int
    media_type: str
    title: str
    state: Version.State
    note: str
    characters: int
    created: datetime
    is_current: bool = Field(description="Search and answers read this one.")

    @staticmethod
    def of(row: Version) -> "VersionOut":
        plain = ("number", "sha256", "size", "media_type", "title", "note", "characters", "created")
        return VersionOut(
            id=row.pk,
            document_id=row.document_id,
            state=Version.State(row.state),
            is_current=row.document.current_id == row.pk,
            **{name: getattr(row, name) for name in plain},
        )


class PageLineOut(Schema):
    number: int
    label: str
    kind: Page.Kind
    confidence: float | None = Field(description="Of OCR, 0 to 1.")
    start: int = Field(description="Offset of its first character in the version's text.")
    width: float = Field(description="Points; 0 where it has no size.")
    height: float
    has_picture: bool = Field(description="Whether it can be shown as it is printed.")


class PageOut(PageLineOut):
    text: str
    boxes: list[tuple[float, float, float, float]] | None = Field(
        None,
        examples=[[[72.0, 90.5, 78.2, 101.0]]],
        description="For each character left, top, right, bottom in points from the top left; "
        "only with `boxes=true`, and null where they are not known.",
    )
    marks: list[tuple[float, float, float, float]] = Field(
        [],
        examples=[[[72.0, 90.5, 310.4, 101.0]]],
        description="What the span from `start` to before `end` covers: a rectangle for each line.",
    )


class Look(Schema):
    boxes: bool = Field(default=False, description="Where each character stands.")
    start: int = Field(
        0, ge=0, le=10**9, description="Of a span in the version's text, as citations have it."
    )
    end: int = Field(0, ge=0, le=10**9)


@router.get(
    "/documents/{uuid:document_id}/versions", response=list[VersionOut], summary="Versions, newest first"
)
def list_versions(
    request: HttpRequest, response: HttpResponse, document_id: UUID, at: Query[cursors.Place]
) -> list[VersionOut]:
    document = access.document_for(person_of(request), document_id)
    rows = document.versions.select_related("document")
    return [VersionOut.of(row) for row in cursors.piece(request, response, rows, ("-number", "-pk"), at)]


@router.get("/versions/{uuid:version_id}", response=VersionOut, summary="One version")
def get_version(request: HttpRequest, version_id: UUID) -> VersionOut:
    return VersionOut.of(access.version_for(person_of(request), version_id))


@router.get("/versions/{uuid:version_id}/pages", response=list[PageLineOut], summary="Its pages")
def list_pages(
    request: HttpRequest, response: HttpResponse, version_id: UUID, at: Query[cursors.Place]
) -> list[PageLineOut]:
    version = access.version_for(person_of(request), version_id)
    rows = version.pages.defer("text", "boxes")
    found = cursors.piece(request, response, rows, ("number", "pk"), at)
    return [PageLineOut(**_line(row, version)) for row in found]


@router.get(
    "/versions/{uuid:version_id}/pages/{number}", response=PageOut, summary="The text of a page, with boxes"
)
def get_page(request: HttpRequest, version_id: UUID, number: Number, look: Query[Look]) -> PageOut:
    version = access.version_for(person_of(request), version_id)
    row = _page(version, number)
    found = places.of(row) if look.boxes else None
    marks = places.rectangles(row, look.start - row.start, look.end - row.start)
    boxes = None if found is None else [(box[0], box[1], box[2], box[3]) for box in found.tolist()]
    return PageOut(**_line(row, version), text=row.text, boxes=boxes, marks=marks)


@router.get(
    "/versions/{uuid:version_id}/pages/{number}/picture",
    response={409: Problem, 503: Problem},
    summary="A page of a PDF or picture as it is printed, as PNG",
    openapi_extra={"responses": {200: {"description": "OK", "content": {"image/png": PNG}}}},
)
def get_picture(request: HttpRequest, version_id: UUID, number: Number, width: Width = 1200) -> HttpResponse:
    version = access.version_for(person_of(request), version_id)
    _page(version, number)
    if not pictures.has_pictures(version):
        raise Http404("It has no pages as printed.")
    return HttpResponse(pictures.draw(version, number, width), content_type="image/png")


@router.get(
    "/versions/{uuid:version_id}/file",
    summary="The original bytes",
    openapi_extra={
        "responses": {
            200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
        }
    },
)
def get_file(request: HttpRequest, version_id: UUID) -> StreamingHttpResponse:
    version = access.version_for(person_of(request), version_id)
    path = blobs.path(version.document.matter_id, version.sha256)
    if not path.is_file():
        raise Http404("The file is gone.")
    return downloads.of(path, version.document.name)


def _page(version: Version, number: int) -> Page:
    row = version.pages.filter(number=number).first()
    if row is None:
        raise Http404("No such page.")
    return row


def _line(row: Page, version: Version) -> dict[str, Any]:
    names = ("number", "label", "kind", "confidence", "start", "width", "height")
    return {**{name: getattr(row, name) for name in names}, "has_picture": pictures.has_pictures(version)}
