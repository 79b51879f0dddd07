"""Bates numbers: the running numbers that are stamped on the pages of what is produced in a lawsuit."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

EDGE_LINES = 3  # a stamp stands in the first or last lines of a page
LEAST_SHARE = 0.5  # of the pages must have it
LONGEST = 40
_STAMP = re.compile(
    r"(?<![\w-])(?P<prefix>[A-Z][A-Z&.]{0,11}(?:[_-][A-Z0-9]{1,8}){0,2}[ _.-]?)(?P<number>\d{4,10})(?![\w-])"
)


def numbers(texts: Sequence[str]) -> list[str]:
    """The Bates number of each page, "" where it has none.

    What counts is that it runs: one prefix, and a number that grows by one with each page. A single page has
    to have it alone on a line, and filled up with zeros.
    """
    stamps = [list(_stamps(text)) for text in texts]
    if len(texts) == 1:
        return [next((text for prefix, _, text in _alone(texts[0])), "")]
    runs = Counter(
        (prefix, number - place)
        for place, found in enumerate(stamps)
        for prefix, number in {each[:2] for each in found}
    )
    if not runs:
        return [""] * len(texts)
    (prefix, first), count = runs.most_common(1)[0]
    if count < max(2, LEAST_SHARE * len(texts)):
        return [""] * len(texts)
    return [
        next((text for mark, number, text in found if (mark, number - place) == (prefix, first)), "")
        for place, found in enumerate(stamps)
    ]


def _stamps(text: str) -> Iterator[tuple[str, int, str]]:
    """Prefix, number, and the stamp as it reads."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for line in dict.fromkeys([*lines[:EDGE_LINES], *lines[-EDGE_LINES:]]):
        for found in _STAMP.finditer(line):
            yield found["prefix"], int(found["number"]), found.group()[:LONGEST]


def _alone(text: str) -> Iterator[tuple[str, int, str]]:
    lines = {line.strip() for line in text.split("\n")}
    for prefix, number, stamp in _stamps(text):
        if stamp in lines and len(prefix) > 1 and re.search(r"\D0\d{4,}$", stamp):
            yield prefix, number, stamp
