"""Uploads over REST: announce files, send them in pieces, ask what became of them."""

import csv
import io
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status
from pydantic import Field

from knowledge import access, uploads
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.problems import problem
from knowledge.api.schemas import FileIn, Problem, TransferOut, UploadOut
from knowledge.models import Role

router = Router(tags=["uploads"])
Custodian = Annotated[str, Field(max_length=200)]


@router.post("/matters/{uuid:matter_id}/uploads", response={201: UploadOut}, summary="Begin an upload")
def begin_upload(request: HttpRequest, matter_id: UUID, custodian: Custodian = "") -> Status[UploadOut]:
    """Files are announced to it and sent in pieces; its report tells what became of each. The custodian is
    the person from whose files all of it was collected.
    """
    person = person_of(request)
    matter = access.matter_for(person, matter_id, Role.MEMBER)
    return Status(201, UploadOut.of(uploads.begin(matter, person, custodian)))


@router.get("/matters/{uuid:matter_id}/uploads", response=list[UploadOut], summary="The newest uploads")
def list_uploads(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[UploadOut]:
    rows = access.matter_for(person_of(request), matter_id).uploads.all()
    return [UploadOut.of(row) for row in cursors.piece(request, response, rows, ("-created", "-pk"), at)]


@router.get("/uploads/{uuid:upload_id}", response=UploadOut, summary="How far an upload is")
def get_upload(request: HttpRequest, upload_id: UUID) -> UploadOut:
    return UploadOut.of(access.upload_for(person_of(request), upload_id))


@router.get("/uploads/{uuid:upload_id}/report", summary="The report of an upload, as CSV")
def get_report(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    upload = access.upload_for(person_of(request), upload_id)
    response = HttpResponse(_csv(uploads.report(upload)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="upload-{upload.created:%Y-%m-%d-%H%M}.csv"'
    return response


@router.post(
    "/uploads/{uuid:upload_id}/files",
    response={201: TransferOut, 422: Problem},
    summary="Announce a file; the same again goes on where it stopped",
)
def announce_file(request: HttpRequest, upload_id: UUID, body: FileIn) -> Status[TransferOut]:
    upload = access.upload_for(person_of(request), upload_id, Role.MEMBER)
    return Status(201, TransferOut.of(uploads.Received(uploads.announce(upload, body.path, body.size))))


@router.get("/transfers/{uuid:transfer_id}", response=TransferOut, summary="How much of a file is here")
def get_transfer(request: HttpRequest, transfer_id: UUID) -> TransferOut:
    transfer = access.transfer_for(person_of(request), transfer_id)
    return TransferOut.of(uploads.Received(transfer))


@router.patch(
    "/transfers/{uuid:transfer_id}",
    response={200: TransferOut, 409: Problem, 422: Problem},
    summary="Send a piece of a file, as the body",
)
def send_piece(request: HttpRequest, transfer_id: UUID, offset: int) -> HttpResponse | TransferOut:
    """The piece that completes the file makes it a document, which the answer then names."""
    transfer = access.transfer_for(person_of(request), transfer_id)
    try:
        return TransferOut.of(uploads.receive(transfer, offset, _pieces(request)))
    except uploads.WrongOffset as error:
        return problem(HTTPStatus.CONFLICT, str(error), offset=error.offset)


@router.delete("/transfers/{uuid:transfer_id}", response={204: None}, summary="Give a transfer up")
def cancel_transfer(request: HttpRequest, transfer_id: UUID) -> Status[None]:
    uploads.cancel(access.transfer_for(person_of(request), transfer_id))
    return Status(204, None)


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(uploads.READ_BYTES):
        yield piece


def _csv(rows: Iterator[list[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(uploads.REPORT_HEAD)
    writer.writerows(rows)
    return buffer.getvalue()
