"""What every response of the API has: errors as problems, the rate limit, an ETag."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, set_response_etag
from django.utils.deprecation import MiddlewareMixin

from knowledge.api import idempotency, problems
from knowledge.api.auth import ALLOWANCE

OPENAI = ("/chat/completions", "/models")  # whose clients want to find an “error” in a problem
PREFIXES = ("/api/", "/v1/")


class EnvelopeMiddleware(MiddlewareMixin):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not request.path.startswith(PREFIXES):
            return response
        if response.status_code >= HTTPStatus.BAD_REQUEST and isinstance(response, HttpResponse):
            problems.unify(response)
            if request.path.endswith(OPENAI):
                problems.add_error(response)
        idempotency.keep(request, response)
        if allowance := request.META.get(ALLOWANCE):
            for name, value in allowance.headers().items():
                response.headers[name] = value
        return _conditional(request, response)


def _conditional(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """With an ETag; 304 and nothing else for who has this very content already."""
    if (
        request.method != "GET"
        or not isinstance(response, HttpResponse)
        or response.status_code != HTTPStatus.OK
    ):
        return response
    set_response_etag(response)
    told = get_conditional_response(request, etag=response["ETag"], response=response) or response
    for name in ("Cache-Control", "RateLimit", "RateLimit-Policy"):
        if name in response.headers:
            told.headers[name] = response.headers[name]
    return told
