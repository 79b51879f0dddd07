"""The API's description of itself: what the framework knows, and what holds for every operation."""

import re
from typing import Any

from ninja import NinjaAPI
from ninja.openapi import schema as description
from ninja.openapi.schema import OpenAPISchema
from ninja.schema import NinjaGenerateJsonSchema

from knowledge.api import examples
from knowledge.api.problems import MEDIA_TYPE
from knowledge.api.rights import needed

JSON = "application/json"
SAID = {
    400: "The body is not JSON",
    401: "No valid token",
    403: "The role in the matter, or the right of the token, is missing",
    404: "There is nothing here, or you may not see it",
    413: "The request is too large",
    415: "The body is not of the type that is taken here",
    422: "The request does not fit",
    429: "Too many calls in this minute",
    503: "A part of the service cannot be reached",
}
TAG = {"description": "Of this content.", "schema": {"type": "string"}}
LINK = {"description": 'Where the list goes on: `<address>; rel="next"`.', "schema": {"type": "string"}}
WAIT = {
    "description": "Seconds after which it may be tried again.",
    "schema": {"type": "integer", "minimum": 0},
}
KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same call with the same key is done once; its first response is given again.",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]+$"},
    "example": "7b1f0d4e-upload-17",
}
MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The `ETag` of what is here already; 304 when nothing has changed.",
    "schema": {"type": "string", "pattern": "^[!-~]*$"},
    "example": '"5d41402abc4b2a76b9719d911017c592"',
}
WAITED = {429, 503}
NESTED = re.compile(r"\b([A-Z]\w*)\.([A-Z]\w*)")
Node = dict[str, Any]


class Names(NinjaGenerateJsonSchema):
    """Run.Kind and Evidence.Kind are two things: in the description they are RunKind and EvidenceKind."""

    def get_defs_ref(self, core_mode_ref: Any) -> Any:
        ref, mode = core_mode_ref
        renamed: Any = (NESTED.sub(r"\1\2", ref), mode)
        return super().get_defs_ref(renamed)


description.NinjaGenerateJsonSchema = Names  # type: ignore[attr-defined]  # the framework has no option for it


class Api(NinjaAPI):
    def get_openapi_schema(self, **words: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**words)
        known = schema["components"]["schemas"]
        for path, item in schema["paths"].items():
            for method, operation in item.items():
                _complete(path, method, operation, known)
        return schema


def _complete(path: str, method: str, operation: Node, known: dict[str, Node]) -> None:
    _parameters(method, operation, known)
    for status in _problems(operation):
        operation["responses"].setdefault(status, {})
    for status, response in operation["responses"].items():
        if int(status) >= 400 and operation.get("security"):  # /health describes its own 503
            _as_problem(int(status), response)
            if int(status) in WAITED:
                response.setdefault("headers", {})["Retry-After"] = WAIT
    _secure(path, method, operation)
    _exemplify(operation, known)


def _problems(operation: Node) -> list[int]:
    """Which errors an operation may give, by what it takes."""
    found = [401, 403, 404, 429, 503] if operation.get("security") else []
    if operation.get("requestBody"):
        found += [400, 413, 415]
    if operation.get("requestBody") or operation["parameters"]:
        found.append(422)
    if any(each["name"] == "Idempotency-Key" for each in operation["parameters"]):
        found.append(409)
    return found


def _as_problem(status: int, response: Node) -> None:
    response["description"] = SAID.get(status, response.get("description", "It cannot be done"))
    example = {"type": "about:blank", "title": response["description"], "status": status, "detail": "Why."}
    schema = {"$ref": "#/components/schemas/Problem"}
    response["content"] = {MEDIA_TYPE: {"schema": schema, "example": {**example, "errors": []}}}


def _parameters(method: str, operation: Node, known: dict[str, Node]) -> None:
    """Examples for those that are there, and the headers that every operation of this method takes."""
    for each in operation["parameters"]:
        each.pop("examples", None)  # OpenAPI wants a mapping here; the schema keeps its list
        each["example"] = examples.of(each["schema"], known)
    if operation.get("security"):
        operation["parameters"] += [KEY] if method == "post" else [MATCH] if method == "get" else []
    if method == "get" and "200" in {str(status) for status in operation["responses"]}:
        ok = operation["responses"].get(200) or operation["responses"]["200"]
        ok.setdefault("headers", {})["ETag"] = TAG
        if any(each["name"] == "cursor" for each in operation["parameters"]):
            ok["headers"]["Link"] = LINK
        operation["responses"].setdefault(304, {"description": "Nothing has changed"})


def _secure(path: str, method: str, operation: Node) -> None:
    """Say which right of a token the operation needs."""
    if operation.get("security"):
        route = path.replace("{matter_id}", "<uuid:matter_id>")
        right = needed(method.upper(), route).value
        operation["x-right"] = right
        operation["security"] = [{name: [right] if name == "TokenAuth" else [] for name in each}
                                 for each in operation["security"]]  # fmt: skip


def _exemplify(operation: Node, known: dict[str, Node]) -> None:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        for content in body.get("content", {}).values():
            if "example" not in content and "schema" in content:
                content["example"] = examples.of(content["schema"], known)
