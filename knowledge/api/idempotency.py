"""Idempotency keys: a POST that comes again with its `Idempotency-Key` gets its first response again.

The row is made before the work begins, so that of two equal calls at once one is told to wait. Whoever may no
longer see what the path names gets 404 also for what they once did there. A response is kept only with the
matter that it tells of, so that it goes where that matter goes; an operation whose path names none says which
by `about`. It is given again only to who still has the role that the call needed. One that tells a secret is
never kept.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.crypto import salted_hmac

from knowledge import access
from knowledge.api.auth import person_of
from knowledge.api.problems import problem
from knowledge.audit import trace
from knowledge.models import Matter, Replay, Role
from knowledge.models.token import came_with

REPLAY = "pincite.replay"  # in META: the row that waits for the response
LONGEST_KEY = 200
SALT = "pincite.idempotency"
TELL_SECRETS = ("/tokens", "/webhooks")
REFUSED = {401, 403, 404, 429}
NOT_KEPT = "This call was done already; its response is not kept."
KEPT = timedelta(hours=24)
GIVEN_UP = timedelta(minutes=15)  # a first call that has said nothing for so long never will
DOORS: dict[str, Callable[..., Any]] = {
    "matter_id": access.matter_for,
    "document_id": access.document_for,
    "version_id": access.version_for,
    "upload_id": access.upload_for,
    "answer_id": access.answer_for,
    "run_id": access.run_for,
    "job_id": access.job_for,
    "delivery_id": access.delivery_for,
    "wall_id": access.wall_for,
}
Operation = Callable[..., Any]


def once(operation: Operation) -> Operation:
    @wraps(operation)
    def guarded(request: HttpRequest, *words: Any, **named: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "")
        if request.method != "POST" or not key:
            return operation(request, *words, **named)
        if len(key) > LONGEST_KEY or not key.isprintable():
            detail = f"An idempotency key has at most {LONGEST_KEY} printable characters."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        earlier = _claim(request, key, _matter(request))
        if earlier is not None:
            return earlier
        try:
            return operation(request, *words, **named)
        finally:
            request.META[REPLAY].role = max(trace.role(), Role.READER)

    return guarded


def about(request: HttpRequest, matter: Matter) -> None:
    """Say which matter the response of this call tells of."""
    row: Replay | None = request.META.get(REPLAY)
    if row is not None:
        row.matter = matter
        Replay.objects.filter(pk=row.pk).update(matter=matter)


def keep(request: HttpRequest, response: HttpResponseBase) -> None:
    """Store the first response; what was refused, failed through us, or was streamed, may be tried again."""
    row: Replay | None = request.META.pop(REPLAY, None)
    if row is None:
        return
    is_done = response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and response.status_code not in REFUSED
    if not is_done or not isinstance(response, HttpResponse):
        row.delete()
        return
    is_kept = row.matter_id is not None and not request.path.endswith(TELL_SECRETS)
    if not is_kept and response.status_code < HTTPStatus.BAD_REQUEST:
        response = problem(HTTPStatus.CONFLICT, NOT_KEPT)
    Replay.objects.filter(pk=row.pk).update(
        role=row.role,
        status=response.status_code,
        content=response.content,
        content_type=response.headers.get("Content-Type", ""),
    )


def sweep() -> int:
    """Forget what is older than a day."""
    return Replay.objects.filter(created__lt=timezone.now() - KEPT).delete()[0]


def _claim(request: HttpRequest, key: str, matter: Matter | None) -> HttpResponse | None:
    """Become the first call, or answer as the first call was answered."""
    who = {"caller": _caller(request), "route": request.path[:300], "key": key}
    digest = _digest(request)
    now = timezone.now()
    Replay.objects.filter(**who, status=None, created__lt=now - GIVEN_UP).delete()
    Replay.objects.filter(**who, created__lt=now - KEPT).delete()
    try:
        with transaction.atomic():
            request.META[REPLAY] = Replay.objects.create(**who, digest=digest, matter=matter)
    except IntegrityError:
        return _again(person_of(request), Replay.objects.filter(**who).first(), digest)
    return None


def _again(person: User, row: Replay | None, digest: str) -> HttpResponse:
    if row is not None and row.matter_id is not None:
        access.matter_for(person, row.matter_id, Role(row.role))
    if row is not None and row.digest != digest:
        detail = "This idempotency key was used with another body."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if row is None or row.status is None:
        return problem(HTTPStatus.CONFLICT, "The first call with this idempotency key is still at work.")
    response = HttpResponse(bytes(row.content), content_type=row.content_type, status=row.status)
    response["Idempotency-Replayed"] = "true"
    return response


def _matter(request: HttpRequest) -> Matter | None:
    """The matter of what the path names, asked for through the door; Http404 for who may not see it."""
    found = None
    for name, value in (request.resolver_match.kwargs if request.resolver_match else {}).items():
        if name in DOORS:
            found = DOORS[name](person_of(request), UUID(str(value)))
    if found is None or isinstance(found, Matter):
        return found
    for parent in ("document", "webhook"):  # of a version, of a delivery
        found = getattr(found, parent, found)
    matter: Matter = found.matter
    return matter


def _caller(request: HttpRequest) -> str:
    token = came_with(person_of(request))
    return f"token {token.pk}" if token else f"person {person_of(request).pk}"


def _digest(request: HttpRequest) -> str:
    """Of the body, or of the parts of a form whose body has been read already; keyed, for passwords in it."""
    try:
        return salted_hmac(SALT, request.body, algorithm="sha256").hexdigest()
    except RawPostDataException:
        digest = salted_hmac(SALT, repr(sorted(request.POST.lists())), algorithm="sha256")
        for name, file in request.FILES.items():
            assert isinstance(file, UploadedFile)  # noqa: S101 - for the type checker
            digest.update(repr((name, file.name, file.size)).encode())
            for chunk in file.chunks():
                digest.update(chunk)
            file.seek(0)
        return digest.hexdigest()
