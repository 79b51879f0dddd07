"""Errors of the API as RFC 9457 problem details."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from inference.errors import InferenceError
from knowledge import outbound, retry
from knowledge.api.auth import RightMissing
from knowledge.api.cursors import BadCursor
from knowledge.documents import Rejected
from knowledge.exact.report import BadTerm
from knowledge.holds import Held
from knowledge.index import IndexUnavailable
from knowledge.matters import LastManager
from knowledge.pictures import Busy, NoPicture
from knowledge.query import QueryError
from knowledge.rates import TooMany
from knowledge.runs import Refused
from knowledge.saved import TooManySaved
from knowledge.search import BadQuery
from knowledge.walls import NeverStands

MEDIA_TYPE = "application/problem+json"


def problem(status: HTTPStatus, detail: str, *, wait: int | None = None, **more: Any) -> HttpResponse:
    """`wait`: after how many seconds it may be tried again."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **more}
    response = JsonResponse(body, status=status.value, content_type=MEDIA_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="Pincite"'
    return retry.after(response, wait)


def unify(response: HttpResponse) -> None:
    """Make a problem of an error that came from elsewhere: an unknown route, a wrong method, a bug."""
    if response.headers.get("Content-Type") != MEDIA_TYPE:
        status = HTTPStatus(response.status_code)
        response.content = problem(status, SAID.get(status, status.description or status.phrase)).content
        response.headers["Content-Type"] = MEDIA_TYPE
        response.headers["Content-Length"] = str(len(response.content))


def add_error(response: HttpResponse) -> None:
    """The problem with the member that clients of the OpenAI wire format look for."""
    told = json.loads(response.content)
    error = {"message": told["detail"], "type": told["title"], "code": told["status"]}
    response.content = json.dumps({**told, "error": error}).encode()
    response.headers["Content-Length"] = str(len(response.content))


def install(api: NinjaAPI) -> None:
    """Every error of an operation, ours or the framework's, leaves the API in the one form."""
    for error, status in STATUSES.items():
        api.add_exception_handler(error, _handler(status))
    api.add_exception_handler(Http404, _not_found)
    api.add_exception_handler(QueryError, _bad_query)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(AuthenticationError, _unauthorized)
    api.add_exception_handler(RightMissing, _right_missing)


STATUSES: dict[type[Exception], HTTPStatus] = {
    PermissionDenied: HTTPStatus.FORBIDDEN,
    BadQuery: HTTPStatus.UNPROCESSABLE_ENTITY,
    BadTerm: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManySaved: HTTPStatus.CONFLICT,
    BadCursor: HTTPStatus.UNPROCESSABLE_ENTITY,
    outbound.Refused: HTTPStatus.UNPROCESSABLE_ENTITY,
    LastManager: HTTPStatus.CONFLICT,
    NeverStands: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refused: HTTPStatus.CONFLICT,
    Held: HTTPStatus.CONFLICT,
    NoPicture: HTTPStatus.CONFLICT,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    InferenceError: HTTPStatus.SERVICE_UNAVAILABLE,
    IndexUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    OperationalError: HTTPStatus.SERVICE_UNAVAILABLE,
}


NOTHING_HERE = "There is nothing here, or you may not see it."
SAID = {HTTPStatus.NOT_FOUND: NOTHING_HERE, HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed on our side."}


def _handler(status: HTTPStatus) -> Callable[[HttpRequest, Any], HttpResponse]:
    def handle(request: HttpRequest, error: Exception) -> HttpResponse:  # noqa: ARG001 - the framework's signature
        return problem(status, str(error), wait=retry.seconds(error))

    return handle


def _not_found(request: HttpRequest, error: Any) -> HttpResponse:  # noqa: ARG001 - the framework's signature
    # One body for what does not exist and what may not be seen.
    return problem(HTTPStatus.NOT_FOUND, NOTHING_HERE)


def _bad_query(request: HttpRequest, error: Any) -> HttpResponse:  # noqa: ARG001 - the framework's signature
    """With the characters of the query that are wrong, from start to before end."""
    errors = [{"pointer": "q", "detail": str(error), "start": error.start, "end": error.end}]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=errors)


def _right_missing(request: HttpRequest, error: Any) -> HttpResponse:  # noqa: ARG001 - the framework's signature
    response = problem(HTTPStatus.FORBIDDEN, str(error))
    told = f'error="insufficient_scope", scope="{error.right.value}"'
    response["WWW-Authenticate"] = f'Bearer realm="Pincite", {told}'
    return response


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:  # noqa: ARG001 - the framework's signature
    errors = [
        {"pointer": "/".join(str(part) for part in item["loc"]), "detail": item["msg"]}
        for item in error.errors
    ]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request does not fit the schema.", errors=errors)


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    if error.status_code == HTTPStatus.FORBIDDEN and not request.user.is_authenticated:
        return _unauthorized(request, error)  # a session's CSRF check comes before the question whose it is
    if isinstance(error.__cause__, HttpError):  # the framework wraps what the parser of bodies says
        error = error.__cause__
    return problem(HTTPStatus(error.status_code), str(error))


def _unauthorized(request: HttpRequest, error: Any) -> HttpResponse:  # noqa: ARG001 - the framework's signature
    return problem(HTTPStatus.UNAUTHORIZED, "Send a valid token: Authorization: Bearer pincite_…")
