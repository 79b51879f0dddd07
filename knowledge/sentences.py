"""Sentences of legal text, as spans into it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof hon st no nos sec secs art arts para paras cl inc corp co ltd llc v vs cf al
    ed id p pp ch ex u.s u.s.c c.f.r e.g i.e etc jan feb mar apr jun jul aug sep sept oct nov dec
    a.m p.m approx dept fig
    """.split()
)
# A full stop, question or exclamation mark, closing quotes, space; or an empty line; or the end of a line
# before a numbered clause, a list item, a heading or a line of an e-mail's head, or after a title.
_BORDER = re.compile(
    r"[.!?;:]?[.!?]['\"”’)\]]*(?=\s)"
    r"|\n[ \t>]*\n|[;:]\s*\n"
    r"|\n(?=[ \t]*(?:\d{1,3}(?:\.\d{1,3})+\.?\s|\d{1,2}\.\s|\([a-z]{1,4}\)\s|[•–*-]\s|ARTICLE\s|SCHEDULE\s"
    r"|#{1,6}\s|(?:From|To|Cc|Bcc|Date|Sent|Subject):\s))"
    r"|(?P<title>\n)(?=[ \t]*['\"“‘(]?[A-Z][a-z])"
)
# A line in capitals that is a title of what follows: it neither ends within a sentence nor names a party.
_TITLE = re.compile(r"(?=.*[A-Z]{4})[^a-z\n,;:.]{4,89}\.?")
_GOES_ON = re.compile(r"\b(?:A|AN|AND|OR|OF|THE|BY|TO|FOR|FROM|IN|ON|AT|WITH|BETWEEN|AMONG|THAT)$")
_LAST_WORD = re.compile(r"([A-Za-z][A-Za-z.]*)\.['\"”’)\]]*$")
# Of a clause or a list item, where one begins; or behind "no.": no end of a sentence.
_NUMBER = re.compile(r"(?:^|[:;,]\s|\b(?:[Nn][or]s?\.|and|or)\s)\s*\(?\d{1,3}\.$")
_OPENS_SENTENCE = re.compile(r"\s*['\"“‘(\[]*[A-Z0-9§•(\-]")
LONGEST = 600
_NEXT = "The"  # how another sentence may begin


@dataclass(frozen=True)
class Span:
    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


def split(text: str, offset: int = 0, longest: int = LONGEST) -> list[Span]:
    """Spans of the sentences of `text`, without outer white space, shifted by `offset`."""
    return [Span(span.start + offset, span.end + offset) for span in _trimmed(text, longest)]


def whole(text: str) -> tuple[str, str]:
    """Of a text that was cut off its whole sentences, and half a sentence behind them, or nothing."""
    followed = f"{text.rstrip()} {_NEXT}"
    spans = split(followed)
    if spans[-1].of(followed) == _NEXT:
        return text, ""
    return text[: spans[-1].start], text[spans[-1].start :]


def _trimmed(text: str, longest: int) -> Iterator[Span]:
    for start, end in _raw(text, longest):
        piece = text[start:end]
        left = len(piece) - len(piece.lstrip())
        if piece.strip():
            yield Span(start + left, start + left + len(piece.strip()))


def _raw(text: str, longest: int) -> Iterator[tuple[int, int]]:
    start = 0
    for border in _BORDER.finditer(text):
        if border.end() <= start or not _is_border(text, start, border):
            continue
        yield from _limited(text, start, border.end(), longest)
        start = border.end()
    yield from _limited(text, start, len(text), longest)


def _is_border(text: str, start: int, border: re.Match[str]) -> bool:
    if border.group("title"):
        return _is_title(text[text.rfind("\n", 0, border.start()) + 1 : border.start()].strip())
    if "\n" in border.group():
        return True
    if not _OPENS_SENTENCE.match(text, border.end()):
        return False
    word = _LAST_WORD.search(text, max(start, border.end() - 20), border.end())
    if word is None:
        line = max(start, text.rfind("\n", 0, border.end()) + 1)
        return not _NUMBER.search(text[line : border.end()])
    return word.group(1).lower() not in ABBREVIATIONS and len(word.group(1)) > 1


def _is_title(line: str) -> bool:
    return bool(_TITLE.fullmatch(line)) and not _GOES_ON.search(line)


def _limited(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """Cut what runs on for ever (tables, lists without stops) at white space."""
    while end - start > longest:
        cut = text.rfind(" ", start + longest // 2, start + longest)
        cut = cut if cut > start else start + longest
        yield start, cut
        start = cut
    yield start, end
