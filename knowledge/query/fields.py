"""The fields of the query language, and how the value of each is read."""

import calendar
import re
from dataclasses import dataclass
from datetime import date
from typing import Literal as OneOf

from knowledge.query.words import patterns

_QUOTES = re.compile('["“”„‟«»″]')
Kind = OneOf["text", "choice", "date", "bates"]


@dataclass(frozen=True)
class Named:
    """A field as people are told of it."""

    kind: Kind
    about: str
    example: str
    choices: tuple[str, ...] = ()


FIELDS: dict[str, Named] = {
    "type": Named(
        "choice",
        "sort of file",
        "type:email",
        ("pdf", "word", "sheet", "slides", "email", "mailbox", "web", "picture", "text", "archive", "other"),
    ),
    "date": Named("date", "date of the document", "date:2019..2021"),
    "custodian": Named("text", "from whose files it was collected", 'custodian:"j. smith"'),
    "author": Named("text", "who wrote it", "author:smith"),
    "sender": Named("text", "who sent an e-mail", "sender:tarrish"),
    "recipient": Named("text", "who received an e-mail", "recipient:*@quillmarsh.example"),
    "bates": Named("bates", "number stamped on a page", "bates:ABC000120..ABC000180"),
    "file": Named("text", "name or folder of the file", "file:minutes*"),
    "title": Named("text", "title, or subject of an e-mail", 'title:"supply agreement"'),
    "language": Named("text", "language, by its code", "language:de"),
    "pages": Named("choice", "how its pages were read", "pages:ocr", ("text", "ocr", "unreadable")),
}
ALIASES = {
    "kind": "type",
    "from": "sender",
    "to": "recipient",
    "path": "file",
    "name": "file",
    "lang": "language",
}


class BadValue(Exception):
    """The value does not fit the field; the message says what would."""


@dataclass(frozen=True)
class Days:
    """From the first to the last day, both included; None: without end."""

    first: date | None
    last: date | None


@dataclass(frozen=True)
class Stamps:
    """Bates numbers of one prefix, first and last included."""

    prefix: str
    first: int
    last: int


@dataclass(frozen=True)
class Said:
    """Words that follow each other in the value; * and ? may stand for characters."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Is:
    """The whole value, letter by letter, but for quotation marks, which no query can hold."""

    value: str


@dataclass(frozen=True)
class Choice:
    value: str


Test = Days | Stamps | Said | Is | Choice


def read(name: str, value: str) -> Test:
    """What a field must fulfil. Raises BadValue."""
    match FIELDS[name].kind:
        case "date":
            return _days(value)
        case "bates":
            return _stamps(value)
        case "choice":
            return _choice(name, value)
        case "text":
            return Is(plain(value[1:])) if value.startswith("=") and plain(value[1:]) else _said(name, value)


def plain(value: str) -> str:
    """A value as it can be written in a query."""
    return _QUOTES.sub("", value.replace("\x00", " ")).strip()


def _said(name: str, value: str) -> Said:
    words = tuple(word for word in patterns(value) if word.strip("*?"))
    if not words:
        raise BadValue(f"After “{name}:” stands what to look for, as in {FIELDS[name].example}.")
    return Said(words)


def _choice(name: str, value: str) -> Choice:
    if value.lower() not in FIELDS[name].choices:
        raise BadValue(f"“{name}:” can be {', '.join(FIELDS[name].choices)}.")
    return Choice(value.lower())


_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_COMPARED = re.compile(r"(>=|<=|>|<)(.+)")


def _days(value: str) -> Days:
    """2019, 2019-03, 2019-03-01, 2019..2021, ..2021, 2019.., >2020-03-01, <=2020."""
    compared = _COMPARED.fullmatch(value)
    if compared:
        first, last = _period(compared[2])
        return {
            ">": Days(_after(last), None),
            ">=": Days(first, None),
            "<": Days(None, _before(first)),
            "<=": Days(None, last),
        }[compared[1]]
    if ".." not in value:
        return Days(*_period(value))
    left, right = value.split("..", 1)
    if not left and not right:
        raise BadValue("A range needs a date on one side at least, as in date:2019..2021.")
    days = Days(_period(left)[0] if left else None, _period(right)[1] if right else None)
    if days.first and days.last and days.first > days.last:
        raise BadValue("This range ends before it begins.")
    return days


def _period(text: str) -> tuple[date, date]:
    """The first and last day of a year, a month or a day."""
    found = _DATE.fullmatch(text)
    if not found:
        raise BadValue("A date reads 2019, 2019-03 or 2019-03-01; a range 2019..2021 or >2020-03-01.")
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        end = month or 12
        return first, date(first.year, end, day or calendar.monthrange(first.year, end)[1])
    except ValueError:
        raise BadValue(f"There is no day {text} in the calendar.") from None


def _after(day: date) -> date:
    return date.fromordinal(min(day.toordinal() + 1, date.max.toordinal()))


def _before(day: date) -> date:
    return date.fromordinal(max(day.toordinal() - 1, 1))


_STAMP = re.compile(r"(.*?)(\d{1,18})")


def _stamps(value: str) -> Stamps:
    """ABC000123, or ABC000120..ABC000180; the prefix of the last may be left out."""
    left, _, right = value.partition("..")
    first, last = _STAMP.fullmatch(left.strip()), _STAMP.fullmatch((right or left).strip())
    if not first or not last:
        raise BadValue("A Bates number reads ABC000123, a range ABC000120..ABC000180.")
    prefix = bates_prefix(first[1])
    if last[1] and bates_prefix(last[1]) != prefix:
        raise BadValue("Both Bates numbers of a range have the same prefix.")
    if int(first[2]) > int(last[2]):
        raise BadValue("This range ends before it begins.")
    return Stamps(prefix, int(first[2]), int(last[2]))


def bates_prefix(text: str) -> str:
    """Prefixes are compared without what divides them from the number."""
    return re.sub(r"[\W_]+", "", text).upper()


def stamp(text: str) -> tuple[str, int] | None:
    """Prefix and number of a stamped Bates number."""
    found = _STAMP.fullmatch(text.strip())
    return (bates_prefix(found[1]), int(found[2])) if found else None
