"""Words of legal text as exact search compares them: folded, with the span they were read from.

Case, accents, typographic forms and separators of thousands do not count; punctuation divides words and is no
word itself, but § and ¶ are. Scripts that do not divide words are read character by character.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

LONGEST = 60  # characters; what is longer counts as several words
# Nobody sees soft hyphens and joiners inside a word; combining marks belong to the letter before them.
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060"
_INSIDE = f"{_INVISIBLE}\u0300-\u036f"
_NUMBER = r"[0-9]{1,3}(?:[,'’\u00a0\u2009\u202f][0-9]{3})+(?![0-9*?])"
_WORD = re.compile(rf"{_NUMBER}|[§¶]|[^\W_](?:[^\W_]|[{_INSIDE}])*")
# A “?” that ends a word ends a question.
_PATTERN = re.compile(rf"{_NUMBER}|[§¶]|(?:[^\W_]|\*|\?(?=[\w*?]))(?:[^\W_]|[{_INSIDE}]|\*|\?(?=[\w*?]))*")
_UNDIVIDED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
WILD = re.compile(r"[*?]")


class Word(NamedTuple):
    """`text` is folded; start and end are offsets in what was read."""

    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """The words of a text, in order."""
    for found in _WORD.finditer(text):
        word = found.group()
        if len(word) <= LONGEST and word.isascii() and word.isalnum():  # nearly all
            yield Word(word.lower(), found.start(), found.end())
        else:
            yield from _pieces(word, found.start())


def patterns(text: str) -> list[str]:
    """The words of a query, folded, in which * and ? may stand for characters."""
    found: list[str] = []
    for match in _PATTERN.finditer(text):
        if WILD.search(match.group()):
            found += _wild_pieces(match.group())
        else:
            found += [word.text for word in _pieces(match.group(), 0)]
    return found


def has_wildcard(text: str) -> bool:
    """Whether * or ? stands beside something in one of its words."""
    found = (match.group() for match in _PATTERN.finditer(text))
    return any(is_wild(word) and _folded_pattern(word).strip("*?") for word in found)


def is_wild(pattern: str) -> bool:
    return bool(WILD.search(pattern))


@lru_cache(maxsize=100_000)
def fold(word: str) -> str:
    """The form in which words are compared; a folded word folds to itself."""
    if word.isascii():
        return word.lower()
    # “½” would fall apart into “1⁄2” and be read as 12, so such forms count only if letters remain.
    for form in ("NFKD", "NFD"):
        folded = _letters(unicodedata.normalize(form, unicodedata.normalize(form, word).casefold()))
        if folded.isalnum():
            return folded
    return "".join(filter(str.isalnum, word.casefold()))


def _letters(text: str) -> str:
    return "".join(char for char in text if not unicodedata.combining(char) and char not in _INVISIBLE)


def _pieces(word: str, start: int) -> Iterator[Word]:
    if word in "§¶":
        yield Word(word, start, start + 1)
        return
    if word.isascii():
        yield from _cut(re.sub("[,']", "", word).lower(), start, start + len(word))
        return
    if "0" <= word[0] <= "9" and re.fullmatch(_NUMBER, word):
        yield Word(re.sub(r"[^0-9]", "", word), start, start + len(word))
        return
    yield from _divided(word, start)


def _divided(word: str, start: int) -> Iterator[Word]:
    """Each character of a script without spaces by itself, what stands between as words."""
    begin = 0
    for found in _UNDIVIDED.finditer(word):
        yield from _folded(word[begin : found.start()], start + begin)
        yield from _folded(found.group(), start + found.start())
        begin = found.end()
    yield from _folded(word[begin:], start + begin)


def _folded(word: str, start: int) -> Iterator[Word]:
    folded = fold(word)
    if folded:
        yield from _cut(folded, start, start + len(word))


def _cut(folded: str, start: int, end: int) -> Iterator[Word]:
    for at in range(0, len(folded), LONGEST):
        yield Word(folded[at : at + LONGEST], start, end)


def _wild_pieces(pattern: str) -> Iterator[str]:
    """The characters of a script without spaces are words of their own, before and behind which anything may
    stand anyway: there a * says nothing.
    """
    parts = [part for part in re.split(f"({_UNDIVIDED.pattern})", pattern) if part]
    for at, part in enumerate(parts):
        is_outside = len(parts) > 1 and at in {0, len(parts) - 1} and not part.strip("*")
        if not is_outside:
            yield _folded_pattern(part)


def _folded_pattern(text: str) -> str:
    parts = re.split(r"([*?])", text)
    return re.sub(r"\*+", "*", "".join(part if part in {"*", "?"} else fold(part) for part in parts))
