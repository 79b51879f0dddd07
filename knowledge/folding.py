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
SHORTEST_BY_OCR = 25  # folded characters; shorter ones are alike by chance

Folded = tuple[str, list[int]]  # the folded text, and where each of its characters comes from


def find(quote: str, text: str) -> tuple[int, int] | None:
    """The span of `text` that says the quote: exactly, else as `fold` sees both, else as OCR may see it."""
    at = text.find(quote)
    if quote.strip() and at >= 0:
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
    at = text[0].find(wanted) if wanted else -1
    return (text[1][at], text[1][at + len(wanted) - 1] + 1) if at >= 0 else None


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
