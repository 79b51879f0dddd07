"""Dates as they are written in legal text."""

import re
from datetime import date

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|"
    r"aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?P<year>(?:1[6-9]|20)\d\d)"
_PATTERNS = tuple(
    re.compile(rf"\b{pattern}\b", re.IGNORECASE)
    for pattern in (
        r"(?P<year>(?:1[6-9]|20)\d\d)-(?P<number>0[1-9]|1[0-2])-(?P<day>[0-3]\d)",
        rf"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?: day)?(?: of)? {_MONTH},? {_YEAR}",
        rf"{_MONTH} (?P<day>[0-3]?\d)(?:st|nd|rd|th)?,? {_YEAR}",
        rf"{_MONTH},? {_YEAR}",
    )
)


def first(text: str) -> tuple[date, str] | None:
    """The first date in the text and how it is written there; the first of a month where no day is said.

    Figures alone, as 04/05/2031, are left out: what they mean depends on the country.
    """
    plain = " ".join(text.split())
    found = [(match.start(), -len(match.group()), match) for match in _matches(plain)]
    for _, _, match in sorted(found, key=lambda row: row[:2]):
        day = _date(match)
        if day is not None:
            return day, match.group()
    return None


def _matches(text: str) -> list[re.Match[str]]:
    return [match for pattern in _PATTERNS for match in pattern.finditer(text)]


def _date(match: re.Match[str]) -> date | None:
    said = match.groupdict()
    month = int(said["number"]) if said.get("number") else _month(said["month"])
    try:
        return date(int(said["year"]), month, int(said.get("day") or 1))
    except ValueError:  # the 31st of June
        return None


def _month(name: str) -> int:
    return next(place for place, month in enumerate(_MONTHS, start=1) if month.startswith(name.lower()[:3]))
