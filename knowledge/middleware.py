"""What a browser may keep of a confidential page: nothing."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


class NoStoreMiddleware(MiddlewareMixin):
    """Pages, files and API responses are never written to a cache; static files are served before this."""

    def process_response(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response["Cache-Control"] = "no-store, private"
        return response
