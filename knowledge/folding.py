"""Finding words in a text that writes them a little otherwise: other white space, ligatures, hyphens at line
ends, quotation marks, letters that OCR confuses. What is found is always the text's own span.
"""

import re
import unicodedata
from collections.abc import Iterator

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_QUOTES = {**dict.fromkeys(map(ord, "“”„‟«»″"), '"'), **dict.fromkeys(map(ord, "‘’‚‛′`"), "'")}
_PLAIN = {**_DASHES, **_QUOTES}
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u00ad‐]\s*\n\s*(?=[a-z])|\u00ad")
# What OCR takes for each other, brought to one form. Only tried when nothing else is found.
_CONFUSED = [
    ("rn", "m"),
    ("vv", "w"),
    ("cl", "d"),
    ("0", "o"),
    ("1", "l"),
    ("|", "l"),
    ("i", "l"),
    ("5", "s"),
]
_DIVIDED_BEFORE = re.compile(r"[^\W\d_](?:[-‐]\s*\n\s*|\u00ad\s*)$")
_DIVIDED_BEHIND = re.compile(r"(?:[-‐]\s*\n\s*|\u00ad\s*)[^\W\d_]")
_PREFIX = re.compile(r"(?:^|[^\w])(?:non|un|anti|dis|in|ir|il|im|ex|pseudo|quasi)[-‐‑–]\s?$", re.IGNORECASE)
REACH = 40  # characters before a place that are looked at
_CUT_NUMBER = re.compile(r"\d[.,]\d")
SHORTEST_BY_OCR = 25  # folded characters; shorter ones are alike by chance

Folded = tuple[str, list[int]]  # the folded text, and where each of its characters comes from


def find(quote: str, text: str) -> tuple[int, int] | None:
    """The span of `text` that says the quote: exactly, else as `fold` sees both, else as OCR may see it.

    It neither begins nor ends within a word or a number.
    """
    at = _whole(quote, text)
    if at >= 0:
        return at, at + len(quote)
    return _find(fold(quote), fold(text)) or _find_by_ocr(fold(quote), fold(text))


def fold(text: str) -> Folded:
    """Without what differs between a page and a copy of its words."""
    folded: list[str] = []
    places: list[int] = []
    skipped = {at for match in _BROKEN_WORD.finditer(text) for at in range(*match.span())}
    for at, character in enumerate(text):
        if at in skipped:
            continue
        for plain in _plain(character):
            if plain != " " or (folded and folded[-1] != " "):
                folded.append(plain)
                places.append(at)
    return "".join(folded), places


def _plain(character: str) -> Iterator[str]:
    if character.isspace():
        yield " "
    else:
        yield from unicodedata.normalize("NFKC", character).translate(_PLAIN).casefold()


def _find(quote: Folded, text: Folded) -> tuple[int, int] | None:
    wanted = quote[0].strip()
    at = _whole(wanted, text[0])
    return (text[1][at], text[1][at + len(wanted) - 1] + 1) if at >= 0 else None


def _whole(wanted: str, text: str) -> int:
    """Where it stands with no word or number cut; -1 for nowhere."""
    at = text.find(wanted) if wanted.strip() else -1
    while at >= 0 and (is_cut(text, at) or is_cut(text, at + len(wanted))):
        at = text.find(wanted, at + 1)
    return at


def is_cut(text: str, at: int) -> bool:
    """Whether a word or a number goes on over this place. Never in scripts without case."""
    numbers = (text[max(at - 2, 0) : at + 1], text[max(at - 1, 0) : at + 2])
    if any(_CUT_NUMBER.fullmatch(number) for number in numbers):
        return True
    before, behind = text[max(at - 1, 0) : at], text[at : at + 1]
    is_within = all(side.isdigit() or side.lower() != side.upper() for side in (before, behind))
    return is_within or _is_at_hyphen(text, at)


def _is_at_hyphen(text: str, at: int) -> bool:
    """Whether what stands here is a part of a word that a line break divides, or that its prefix turns round:
    “enforceable” is not what “un-⏎enforceable” says, nor “exclusive” what “non-exclusive” says.
    """
    before = text[max(at - REACH, 0) : at]
    if text[at : at + 1].isalpha() and (_DIVIDED_BEFORE.search(before) or _PREFIX.search(before)):
        return True
    return text[max(at - 1, 0) : at].isalpha() and bool(_DIVIDED_BEHIND.match(text, at))


def _find_by_ocr(quote: Folded, text: Folded) -> tuple[int, int] | None:
    if len(quote[0].strip()) < SHORTEST_BY_OCR:
        return None
    return _find(_unconfused(quote), _unconfused(text))


def _unconfused(folded: Folded) -> Folded:
    """Letters that OCR confuses made one; figures stay apart from each other."""
    text, places = folded
    for pair, one in _CONFUSED:
        if len(pair) == 1:
            text = text.replace(pair, one)
            continue
        while (at := text.find(pair)) >= 0:
            text = text[:at] + one + text[at + 2 :]
            places = places[: at + 1] + places[at + 2 :]
    return text, places
