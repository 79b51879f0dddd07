"""What holds for every page: a browser keeps nothing of it, and the firm may demand a second factor."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

from knowledge import audit, entrance, factors
from knowledge.api.auth import person_of
from knowledge.api.problems import problem

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Where somebody without a second factor may go: to set one up, to show it, and out.
WITHOUT_FACTOR = frozenset(
    "login logout health second_step confirm factors factor_app factor_key oidc oidc_callback".split()
)


@sync_only_middleware
def in_one_thread(get_response: GetResponse) -> GetResponse:
    """With this innermost, Django calls all middlewares in the thread of the request, one inside the other;
    else it goes to the event loop and back for each of them, twice.
    """
    return get_response


class NoStoreMiddleware(MiddlewareMixin):
    """Pages, files and API responses are never written to a cache; static files are served before this."""

    def process_response(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response["Cache-Control"] = "no-store, private"
        return response


class SecondFactorMiddleware(MiddlewareMixin):
    """With PINCITE_REQUIRE_MFA a session reaches nothing until it has shown a second factor."""

    def process_view(
        self,
        request: HttpRequest,
        _view: Callable[..., Any],
        _args: tuple[Any, ...],
        _named: dict[str, Any],
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.view_name in WITHOUT_FACTOR or not entrance.lacks_factor(request):
            return None
        if request.path.startswith(("/api/", "/v1/")):
            return problem(HTTPStatus.FORBIDDEN, "This session has not shown a second factor.")
        details = {"route": match.view_name, "needs": "second factor"}
        audit.record(audit.Act.DENIED, f"route:{match.view_name}", details=details)
        return redirect("confirm" if factors.has_any(person_of(request)) else "factors")
