"""The documents of a matter: list, upload, download, retry, delete."""

from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from knowledge import access, blobs, downloads, streams, uploads
from knowledge import documents as rows
from knowledge.api.auth import person_of
from knowledge.holds import Held
from knowledge.models import Document, Matter, Role, Upload
from knowledge.views import listing, viewer
from knowledge.views.matters import rights


@dataclass(frozen=True)
class Outcome:
    """What became of one uploaded file."""

    name: str
    kind: str  # "queued", "duplicate", "unchanged" or "rejected"
    detail: str


@require_http_methods(["GET", "HEAD", "POST"])
def documents(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """The list as a fragment that renews itself while something is being worked on; or an upload."""
    if request.method == "POST":
        return _upload(request, access.matter_for(request.user, matter_id, Role.MEMBER))
    matter = access.matter_for(request.user, matter_id)
    context = {"matter": matter, "listing": listing.of(matter, request.GET), **rights(request, matter)}
    return render(request, "matters/_documents.html", context)


def _upload(request: HttpRequest, matter: Matter) -> HttpResponse:
    """Take each file by itself: one that is refused never stops its neighbours."""
    names = request.POST.getlist("paths")
    files = request.FILES.getlist("files")
    upload = uploads.begin(matter, person_of(request), request.POST.get("custodian", ""))
    outcomes = [
        _add(upload, file, name or file.name or "") for file, name in zip_longest(files, names[: len(files)])
    ]
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse({"files": [asdict(outcome) for outcome in outcomes]})
    is_any_taken = any(outcome.kind != "rejected" for outcome in outcomes)
    context = {"matter": matter, "outcomes": outcomes, "upload": upload}
    return render(request, "matters/uploaded.html", context, status=200 if is_any_taken else 422)


def _add(upload: Upload, file: "UploadedFile[bytes]", name: str) -> Outcome:
    try:
        added = rows.add(upload.matter, name, file.chunks(), upload.by, upload=upload)
    except rows.Rejected as error:
        return Outcome(name, "rejected", str(error))
    if not added.is_new:
        return Outcome(added.document.path, "unchanged", "Already here, with the same content.")
    if added.version.same_as:
        same = added.version.same_as.document.path
        return Outcome(
            added.document.path, "duplicate", f"The same file as “{same}”, which is read in its place."
        )
    detail = "Queued." if added.version.number == 1 else f"Queued as version {added.version.number}."
    return Outcome(added.document.path, "queued", detail)


@require_GET
async def file(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """The original bytes of a version, as a download that no browser interprets."""
    name, path = await streams.in_thread(_original, request, document_id)
    if not path.is_file():
        return await streams.in_thread(render, request, "documents/gone.html", {"name": name}, status=410)
    return downloads.of(path, name)


def _original(request: HttpRequest, document_id: UUID) -> tuple[str, Path]:
    document = access.document_for(request.user, document_id)
    version = viewer.version_of(request, document)
    return document.name, blobs.path(document.matter_id, version.sha256)


@require_POST
def retry(request: HttpRequest, document_id: UUID) -> HttpResponse:
    document = access.document_for(request.user, document_id, Role.MANAGER)
    try:
        rows.retry(document, request.POST.get("password", ""))
        messages.success(request, f"“{document.name}” is queued again.")
    except rows.NotFailed as error:
        messages.error(request, str(error))
    return redirect("matter", document.matter_id)


@require_POST
def cancel(request: HttpRequest, document_id: UUID) -> HttpResponse:
    document = access.document_for(request.user, document_id, Role.MANAGER)
    if rows.cancel(document, person_of(request)):
        messages.success(request, f"The work on “{document.name}” is stopped.")
    else:
        messages.error(request, "Nothing is being done with this document.")
    return redirect("matter", document.matter_id)


@require_POST
def retry_failed(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    messages.success(request, f"{rows.retry_all(matter)} documents are queued again.")
    return redirect("matter", matter_id)


@require_POST
def delete(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Asks first; with `confirmed` it deletes."""
    document = access.document_for(request.user, document_id, Role.MANAGER)
    if "confirmed" not in request.POST:
        return _confirm(request, document)
    name, matter_id = document.name, document.matter_id
    try:
        rows.delete(document)
        messages.success(request, f"“{name}” was deleted.")
    except Held as error:
        messages.error(request, str(error))
    return redirect("matter", matter_id)


def _confirm(request: HttpRequest, document: Document) -> HttpResponse:
    context = {"document": document, "matter": document.matter, "below": rows.descendants(document)}
    return render(request, "documents/delete.html", context)
