"""The kind of value that a question asks for: a weekday, a month, a date, an hour, money, a period and so on.

“On which weekday may the tribunal sit?” shares no word with “… only on Thursdays”, but only a sentence with a
weekday can answer it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from knowledge import facts

Kind = Literal["weekday", "month", "date", "hour", "money", "period", "share", "number", "name"]

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
MONTHS = "January February March April May June July August September October November December"

_WEEKDAY = re.compile(rf"\b(?:{WEEKDAYS.replace(' ', '|')})s?\b")
_MONTH = re.compile(rf"\b(?:{MONTHS.replace(' ', '|')})\b")
_HOUR = re.compile(
    r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}\s?(?:[ap]\.?m\b|o[’']clock)|\b(?:noon|midnight)\b", re.IGNORECASE
)
_UNIT = r"(?:hour|day|week|month|year)s?"
# The first that is found in the question tells what it asks for.
_ASKED: Mapping[Kind, str] = {
    "weekday": r"\b(?:which|what) (?:weekdays?|days? of the week)\b",
    "month": r"\b(?:which|what) months?\b",
    "hour": r"\b(?:which|what) (?:hour|time)\b(?! (?:period|limit|frame))",
    "period": (
        rf"\bhow long\b|\bhow many (?:business |calendar |working )?{_UNIT}\b"
        r"|\bhow much (?:time|notice)\b|\b(?:what|which)\b.*\bperiod\b"
    ),
    "date": (
        r"^\W*when\b|\b(?:since|until|by) when\b|\b(?:what|which)\b(?:\W+\w+){0,3}\W+(?:date|day|year)\b"
    ),
    "share": r"\b(?:what|which)\b(?:\W+\w+){0,2}\W+(?:percentage|percent|share|portion|rate)\b",
    "money": (
        r"\bhow much\b|\bwhat\b(?! (?:happens|if|law|is the (?:definition|meaning)))(?:\W+\w+){0,5}"
        r"\W+(?:price|cost|fee|rent|salary|penalty|surcharge|sum|premium|amount)\b"
    ),
    "number": r"\bhow many\b",
    "name": (
        r"^\W*(?:who|whom|whose|where (?:is|are|was|were|shall|may|must|does|do|did))\b"
        r"|\b(?:by|to|with|for|from) whom\b"
    ),
}


def _has(*kinds: str) -> Callable[[str], bool]:
    return lambda text: any(fact.kind in kinds for fact in facts.values(text))


_TOLD: Mapping[Kind, Callable[[str], bool]] = {
    "weekday": lambda text: bool(_WEEKDAY.search(text)),
    "month": lambda text: bool(_MONTH.search(text)),
    "hour": lambda text: bool(_HOUR.search(text)),
    "date": _has("date"),
    "period": _has("time"),
    "share": _has("percent"),
    "money": _has("money"),
    "number": _has("number", "time"),
    "name": lambda text: bool(facts.names(text)),
}


def asked(question: str) -> Kind | None:
    """What the question asks for; None where any sentence may answer it."""
    return next(
        (kind for kind, pattern in _ASKED.items() if re.search(pattern, question, re.IGNORECASE)), None
    )


def is_told(kind: Kind, text: str) -> bool:
    """Whether the text has a value of this kind."""
    return _TOLD[kind](text)


def spelled(question: str) -> str:
    """The question with all words that its kind of answer can be told with, where these are few."""
    few = {"weekday": WEEKDAYS, "month": MONTHS}.get(asked(question) or "")
    return f"{question} {few}" if few else question
