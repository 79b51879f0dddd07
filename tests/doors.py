"""Every place where the service takes an id, read off its routes, its OpenAPI description and its forms.

Nothing is listed by hand: a new route, field or form is probed from the moment it exists. What cannot be
understood (an id of an unknown kind) is an error here, not a gap there.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from django import forms as django_forms
from django.urls import URLPattern, URLResolver, get_resolver

from knowledge import forms as pages
from tests.test_routes import PAGES

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
AN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FRESH = ("/factors/app/", "/factors/key/")  # take no id, and show a new secret each time
ADMIN = re.compile(r"(/admin/\w+/(\w+))/<(?:path:object_)?id>")
WAITING = (
    "/health/",
    "/api/v1/health",
)  # public, without an id, and waits for parts that a test does not run
NAMES = {"username": "username", "person": "username", "user": "username", "group": "group_name"}
# What an id is of, where its name does not say so.
ALIASES = {"follows": "answer_id", "like": "version_id", "model": "matter_id", "search_id": "saved_search_id"}
FIXED = {"number": "1", "object_id": "1", "app_label": "knowledge", "url": "x", "content_type_id": "1"}
Schema = dict[str, Any]
Given = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field that takes ids. `form` shows where in its value the id stands, `many` whether it is a list."""

    place: str  # "query", "form" or "json"
    name: str
    form: str = "{}"
    many: bool = False

    def value(self, given: str) -> Any:
        filled = self.form.format(given)
        return [filled] if self.many else filled


@dataclass(frozen=True)
class Door:
    """A method of a route, with what fits it but no id; `fields` are those that take ids."""

    method: str
    path: str
    query: Given = field(default_factory=dict, hash=False)
    body: Given = field(default_factory=dict, hash=False)
    fields: tuple[Field, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the ids in the path."""
        return tuple(name for _, name in PARAMETER.findall(self.path) if name not in FIXED)

    @property
    def is_api(self) -> bool:
        return self.path.startswith(("/api/", "/v1/"))


def kind(name: str) -> str:
    """Of which kind the ids are that stand under this name: `document_id` for `document_ids` too."""
    if name in NAMES:
        return NAMES[name]
    singular = name.removesuffix("s") if name not in ALIASES else name
    named = singular if singular.endswith("_id") else f"{singular}_id"
    return ALIASES.get(name, ALIASES.get(named, named))


def doors() -> list[Door]:
    """Every route with every method that there is."""
    found = []
    for path in sorted({*paths(get_resolver().url_patterns, "/")} - {*WAITING}):
        is_admin = path.startswith("/admin/")
        found += [
            Door(method, path, *({}, {}, ()) if is_admin else _taken(method, path)) for method in METHODS
        ]
    return found


def _taken(method: str, path: str) -> tuple[Given, Given, tuple[Field, ...]]:
    """Query and body that fit, without an id in them, and the fields that take ids."""
    if path.startswith(("/api/", "/v1/")):
        plain = PARAMETER.sub(r"{\2}", path).removeprefix("/api").removeprefix("/v1")
        return _of_operation(operations().get((plain, method), {}))
    given = {key.split(" ")[-1]: route.body for key, route in PAGES.items()}.get(path.removeprefix("/"), {})
    query = given if method == "GET" else {}
    body = {**given, "kind": "full"} if path.endswith("/reading/") else given
    return query, body if method == "POST" else {}, form_fields(method)


def paths(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, here)
        elif not pattern.pattern.regex.groups or PARAMETER.search(here):
            yield _named(here.removesuffix("\\Z"))


def _named(path: str) -> str:
    """The admin calls every id `object_id` or `id`; of which model it is stands before it."""
    return ADMIN.sub(r"\1/<\2_id>", path)


@cache
def description() -> Schema:
    from knowledge.api import api

    schema: Schema = api.get_openapi_schema(path_prefix="/")
    return schema


def operations() -> dict[tuple[str, str], Schema]:
    """The operations of the API by path and method."""
    listed = description()["paths"].items()
    return {(path, method.upper()): each for path, item in listed for method, each in item.items()}


def _of_operation(operation: Schema) -> tuple[Given, Given, tuple[Field, ...]]:
    known = description()["components"]["schemas"]
    queries = [each for each in operation.get("parameters", []) if each["in"] == "query"]
    fields = [Field("query", each["name"]) for each in queries
              if each["name"] in NAMES or _form(each["schema"], known)]  # fmt: skip
    content = operation.get("requestBody", {}).get("content", {})
    body = next(iter(content.values()), {"schema": {}})
    properties = _resolved(body["schema"], known).get("properties", {})
    place = "json" if "application/json" in content else "form"
    forms = {name: "{}" if name in NAMES else _form(schema, known) for name, schema in properties.items()}
    fields += [Field(place, name, form, _is_list(properties[name])) for name, form in forms.items() if form]
    taken = {each.name for each in fields}
    query = {each["name"]: each["example"] for each in queries if each.get("required")}
    example = {name: value for name, value in (body.get("example") or {}).items() if name not in taken}
    return query, example, tuple(fields)


def _is_list(schema: Schema) -> bool:
    return "items" in schema or any(_is_list(each) for each in schema.get("anyOf", []))


def _resolved(schema: Schema, known: dict[str, Schema]) -> Schema:
    return known[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def _form(schema: Schema, known: dict[str, Schema]) -> str:
    """Where in a value of this schema an id stands; "" where none does."""
    schema = _resolved(schema, known)
    if schema.get("format") == "uuid":
        return "{}"
    for example in schema.get("examples", []):
        if isinstance(example, str) and AN_ID.search(example):
            return AN_ID.sub("{}", example)
    inner = [
        *schema.get("anyOf", []),
        *schema.get("allOf", []),
        *([schema["items"]] if "items" in schema else []),
    ]
    return next((form for each in inner if (form := _form(each, known))), "")


@cache
def form_fields(method: str) -> tuple[Field, ...]:
    """Every field of every form of the pages that takes ids; which page reads which is not asked."""
    places = {"GET": ("query",), "POST": ("query", "form")}.get(method, ())
    return tuple(Field(place, name, many=many) for place in places for name, many in _of_forms())


def _of_forms() -> list[tuple[str, bool]]:
    made = [
        each for _, each in inspect.getmembers(pages, inspect.isclass) if issubclass(each, django_forms.Form)
    ]
    found = {
        name: _is_many(each) for form in made for name, each in form.base_fields.items() if _takes_ids(each)
    }
    return sorted({**found, **dict.fromkeys(NAMES, False)}.items())


def _takes_ids(each: django_forms.Field) -> bool:
    kinds = (django_forms.UUIDField, django_forms.ModelChoiceField)
    return isinstance(each, kinds) or getattr(each, "coerce", None) is UUID


def _is_many(each: django_forms.Field) -> bool:
    return isinstance(each, django_forms.ModelMultipleChoiceField | django_forms.MultipleChoiceField)
