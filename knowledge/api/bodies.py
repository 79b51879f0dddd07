"""Bodies are JSON, and say so; text that no database can keep is refused."""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
        body = json.loads(request.body)
        if "\\u0000" in json.dumps(body):
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "Text must not hold the character U+0000.")
        return body
