"""Cutting a query into words, phrases, fields, brackets and operators, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal as OneOf

from knowledge.query.errors import QueryError
from knowledge.query.fields import ALIASES, FIELDS

Sort = OneOf["word", "phrase", "field", "and", "or", "not", "near", "open", "close"]
OPERATORS = frozenset({"and", "or", "not", "near"})
MOST_WORDS_APART = 1_000
REACHES = ("s", "p")  # the same sentence, the same paragraph

_QUOTES = '"“”„‟«»″'
_SPACE = re.compile(r"\s+")
_END = rf"(?=[\s(){_QUOTES}]|$)"
_OPERATOR = re.compile(rf"(AND|OR|NOT){_END}")
_NEAR = re.compile(rf"(?:(?P<pre>pre)|w)?/(?P<reach>[0-9]+|[sp]){_END}", re.IGNORECASE)
_PHRASE = re.compile(f"[{_QUOTES}]([^{_QUOTES}]*)[{_QUOTES}]")
_FIELD = re.compile(
    rf"([^\W\d_]+):(?!//)(?:(?P<whole>=?)[{_QUOTES}](?P<quoted>[^{_QUOTES}]*)[{_QUOTES}]|(?P<bare>[^\s(){_QUOTES}]+))"
)
# Brackets right after a letter or digit belong to it: 12(b)(6), § 2(a).
_WORD = re.compile(rf"[^\s(){_QUOTES}]+(?:\([^\s(){_QUOTES}]*\)[^\s(){_QUOTES}]*)*")


@dataclass(frozen=True)
class Token:
    sort: Sort
    start: int
    end: int
    text: str = ""  # of a word or a phrase; the value of a field
    name: str = ""  # of a field
    reach: int | str = 0
    is_ordered: bool = False


def tokens(text: str) -> Iterator[Token]:
    """Raises QueryError."""
    at = 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        token = _token(text, at)
        yield token
        at = token.end


def _token(text: str, at: int) -> Token:
    if text[at] in "()":
        return Token("open" if text[at] == "(" else "close", at, at + 1)
    if text[at] in _QUOTES:
        return _phrase(text, at)
    operator = _OPERATOR.match(text, at)
    if operator:
        return Token(_SORTS[operator[1]], at, operator.end())
    near = _NEAR.match(text, at)
    if near:
        return _near(near)
    found = _FIELD.match(text, at)
    return _field(found) if found else _word(text, at)


_SORTS: dict[str, Sort] = {"AND": "and", "OR": "or", "NOT": "not"}


def _phrase(text: str, at: int) -> Token:
    found = _PHRASE.match(text, at)
    if not found:
        raise QueryError("This quotation mark is never closed.", at, at + 1)
    return Token("phrase", at, found.end(), found[1])


def _near(found: re.Match[str]) -> Token:
    said = found["reach"].lower()
    reach = said if said in REACHES else int(said[:9])
    if isinstance(reach, int) and not 1 <= reach <= MOST_WORDS_APART:
        raise QueryError(f"A distance is 1 to {MOST_WORDS_APART:,} words.", found.start(), found.end())
    return Token("near", found.start(), found.end(), reach=reach, is_ordered=bool(found["pre"]))


def _field(found: re.Match[str]) -> Token:
    name = found[1].lower()
    name = ALIASES.get(name, name)
    if name not in FIELDS:
        raise QueryError(
            f"There is no field “{found[1]}”. There are: {', '.join(FIELDS)}."
            " What is to be found as it stands belongs in quotation marks.",
            found.start(),
            found.end(1),
        )
    value = found["bare"] if found["quoted"] is None else found["whole"] + found["quoted"]
    return Token("field", found.start(), found.end(), value.strip(), name)


def _word(text: str, at: int) -> Token:
    end = next(_WORD.finditer(text, at)).end()
    name = text[at:end].removesuffix(":").lower()
    if text[at:end].endswith(":") and ALIASES.get(name, name) in FIELDS:
        raise QueryError(f"After “{name}:” stands its value, without a space.", at, end)
    return Token("word", at, end, text[at:end])
