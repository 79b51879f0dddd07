"""Versions of documents over REST, and their pages: text, and where each character stands."""

import zlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import numpy as np
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from knowledge import access, blobs, downloads
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.models import Page, Version

router = Router(tags=["versions"])
Number = Annotated[int, Path(ge=1, le=10**9, examples=[1])]


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


class PageOut(PageLineOut):
    text: str
    boxes: list[tuple[float, float, float, float]] | None = Field(
        None,
        examples=[[[72.0, 90.5, 78.2, 101.0]]],
        description="For each character left, top, right, bottom in points from the top left; "
        "only with `boxes=true`, and null where they are not known.",
    )


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
    rows = access.version_for(person_of(request), version_id).pages.defer("text", "boxes")
    found = cursors.piece(request, response, rows, ("number", "pk"), at)
    return [PageLineOut(**_line(row)) for row in found]


@router.get(
    "/versions/{uuid:version_id}/pages/{number}", response=PageOut, summary="The text of a page, with boxes"
)
def get_page(request: HttpRequest, version_id: UUID, number: Number, *, boxes: bool = False) -> PageOut:
    row = access.version_for(person_of(request), version_id).pages.filter(number=number).first()
    if row is None:
        raise Http404("No such page.")
    return PageOut(**_line(row), text=row.text, boxes=_boxes(row) if boxes else None)


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


def _line(row: Page) -> dict[str, Any]:
    names = ("number", "label", "kind", "confidence", "start", "width", "height")
    return {name: getattr(row, name) for name in names}


def _boxes(row: Page) -> list[tuple[float, float, float, float]] | None:
    """Stored as tenths of a point; one box for each character."""
    if not row.boxes:
        return None
    tenths = np.frombuffer(zlib.decompress(bytes(row.boxes)), dtype=np.int16).reshape(-1, 4)
    return [(left, top, right, bottom) for left, top, right, bottom in (tenths / 10).tolist()]
