"""Documents over REST: upload, list, status, retry, delete."""

from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import File, Form, Query, Router, Schema, Status, UploadedFile

from knowledge import access, documents
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.descriptions import DocumentDetailOut, detail_out
from knowledge.api.problems import problem
from knowledge.api.schemas import AddedOut, CountOut, DocumentOut, Problem, document_out
from knowledge.models import Role, Version

router = Router(tags=["documents"])


class Wanted(Schema):
    """Which documents to list."""

    state: Version.State | None = None
    reason: Version.Reason | None = None


@router.get("/matters/{uuid:matter_id}/documents", response=list[DocumentOut], summary="Documents and status")
def list_documents(
    request: HttpRequest,
    response: HttpResponse,
    matter_id: UUID,
    at: Query[cursors.Place],
    wanted: Query[Wanted],
) -> list[DocumentOut]:
    """All of them, or those in a `state`, or those that failed for a `reason`."""
    rows = documents.listing(access.matter_for(person_of(request), matter_id))
    rows = rows.filter(**wanted.model_dump(exclude_none=True))
    return [DocumentOut.of(row) for row in cursors.piece(request, response, rows, ("path", "pk"), at)]


@router.post(
    "/matters/{uuid:matter_id}/documents",
    response={202: AddedOut, 422: Problem},
    summary="Upload a file; it is processed in the background",
)
def upload_document(
    request: HttpRequest, matter_id: UUID, file: File[UploadedFile], path: Form[str] = ""
) -> Status[AddedOut]:
    """`path` names the place in the matter; without it the file's own name is used."""
    person = person_of(request)
    matter = access.matter_for(person, matter_id, Role.MEMBER)
    added = documents.add(matter, path or file.name or "", file.chunks(), person)
    return Status(202, AddedOut(document=document_out(added.document), is_new=added.is_new))


@router.get(
    "/documents/{uuid:document_id}", response=DocumentDetailOut, summary="One document: status, description"
)
def get_document(request: HttpRequest, document_id: UUID) -> DocumentDetailOut:
    return detail_out(access.document_for(person_of(request), document_id))


@router.post(
    "/documents/{uuid:document_id}/retry",
    response={202: DocumentOut, 409: Problem},
    summary="Process a failed document again",
)
def retry_document(
    request: HttpRequest, document_id: UUID, password: Form[str] = ""
) -> HttpResponse | Status[DocumentOut]:
    """With the `password` of a file whose `reason` is “encrypted”; it is forgotten when it was tried."""
    document = access.document_for(person_of(request), document_id, Role.MANAGER)
    try:
        documents.retry(document, password)
    except documents.NotFailed as error:
        return problem(HTTPStatus.CONFLICT, str(error))
    return Status(202, document_out(document))


@router.post(
    "/documents/{uuid:document_id}/cancel",
    response={200: DocumentOut, 409: Problem},
    summary="Stop the work on a document",
)
def cancel_document(request: HttpRequest, document_id: UUID) -> HttpResponse | DocumentOut:
    person = person_of(request)
    document = access.document_for(person, document_id, Role.MANAGER)
    if not documents.cancel(document, person):
        return problem(HTTPStatus.CONFLICT, "Nothing is being done with this document.")
    return document_out(document)


@router.post(
    "/matters/{uuid:matter_id}/retry-failed",
    response={202: CountOut},
    summary="Process all that failed again",
)
def retry_failed(request: HttpRequest, matter_id: UUID) -> Status[CountOut]:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    return Status(202, CountOut(count=documents.retry_all(matter)))


@router.delete(
    "/documents/{uuid:document_id}", response={204: None, 409: Problem}, summary="Delete a document for good"
)
def delete_document(request: HttpRequest, document_id: UUID) -> Status[None]:
    documents.delete(access.document_for(person_of(request), document_id, Role.MANAGER))
    return Status(204, None)
