"""An example for each schema of the API, made from the examples of its fields and from their types."""

from typing import Any

FORMATS = {
    "uuid": "6f1c2b1e-8a54-4d0e-9a3b-0d6a5f0c7e11",
    "date-time": "2031-05-04T09:30:00Z",
    "date": "2031-05-04",
    "uri": "https://hooks.example.com/pincite",
    "binary": "(the bytes of the file)",
}
WORDS = {"string": "text", "integer": 1, "number": 0.5, "boolean": False, "null": None}
Schema = dict[str, Any]


def of(schema: Schema, known: dict[str, Schema]) -> Any:
    """A value that fits the schema; `known` are the schemas that a `$ref` may name."""
    if "$ref" in schema:
        return of(known[schema["$ref"].rsplit("/", 1)[-1]], known)
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return of(schema[word][0], known)
    return _of_type(schema, known)


def _of_type(schema: Schema, known: dict[str, Schema]) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {name: of(each, known) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [of(schema["items"], known)] if "items" in schema else []
    if "format" in schema and schema["format"] in FORMATS:
        return FORMATS[schema["format"]]
    least = schema.get("minimum")
    return least if least is not None else WORDS.get(kind or "string")
