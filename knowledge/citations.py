"""Checking what was generated against what was in the prompt.

A sentence is cited when a source says it word for word: all its words but articles stand in one sentence of
the source, in the same order, and nothing was left out on the way that could turn the meaning (a negation, an
auxiliary, a condition, a number). The quote that is stored is always the source's own text. What does not
check out gets no citation and is shown as unverified.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from knowledge import highlight, sentences

MARKER = re.compile(r"\s*\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]")
LIST_SIGN = re.compile(r"^\s*(?:[-–•*]|\d{1,2}[.)])\s+")
# A number with its separators is one token; so are the signs that decide what a number means.
TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[%€$£§;:]", re.UNICODE)
ARTICLES = frozenset({"a", "an", "the"})
# Words that turn what the whole clause says: a claim may neither bring one along nor leave one out.
CONDITIONS = frozenset(
    """
    not no nor neither never none nothing cannot without unless except excluding only solely if whether until
    before after provided subject notwithstanding however but deny denies denied refuse refuses refused fail
    fails failed reject rejects rejected alleged allegedly
    """.split()
)
# Words that turn what stands next to them: none may be left out between the words of a claim.
TURNING = CONDITIONS | frozenset(
    """
    may might must shall should will would can could need either both any all each every when other than less
    more least most fewer greater below above under over up minimum maximum exceed hundred thousand million
    billion half double
    """.split()
)
LEAST_CONTENT = 3  # words that are not stop words; less is no claim
LEAST_SHARE = 0.5  # of the stretch of the source that a claim covers
BORDERS = frozenset({";", ":"})


@dataclass(frozen=True)
class Read:
    """A stretch of a document version that was in the prompt, with its offset in the version's text."""

    number: int  # as the model saw it; 0 for what had none
    version_id: UUID
    start: int
    text: str


@dataclass(frozen=True)
class Support:
    """The sentence of a source that carries a claim: offsets in the version's text, and its words."""

    number: int  # of the Read
    version_id: UUID
    start: int
    end: int
    quote: str
    score: float  # how much of that sentence the claim repeats, 0 to 1


@dataclass(frozen=True)
class _Sentence:
    read: Read
    span: sentences.Span
    tokens: tuple[str, ...]


class Checker:
    """Checks sentence after sentence of one answer against the same sources."""

    def __init__(self, reads: Sequence[Read]) -> None:
        self._sentences = [_sentence(read, span) for read in reads for span in sentences.split(read.text)]

    def support(self, claim: str) -> Support | None:
        """The sentence of the sources that says this word for word, or None."""
        said = LIST_SIGN.sub("", MARKER.sub("", claim))
        tokens = [token for token in _tokens(said) if token not in ARTICLES]
        content = [token for token in tokens if token not in highlight.STOP_WORDS and token not in BORDERS]
        if len(content) < LEAST_CONTENT:
            return None
        preferred = set(map(int, re.findall(r"\d+", " ".join(MARKER.findall(claim)))))
        best: tuple[float, bool, _Sentence] | None = None
        for sentence in self._sentences:
            score = _score(tokens, sentence.tokens)
            if score and (best is None or (score, sentence.read.number in preferred) > best[:2]):
                best = (score, sentence.read.number in preferred, sentence)
        return _support(best[2], best[0]) if best else None


def without_markers(claim: str) -> str:
    """The claim without the source numbers the model wrote; the checked citations replace them."""
    return MARKER.sub("", claim).strip()


def _sentence(read: Read, span: sentences.Span) -> _Sentence:
    return _Sentence(read, span, tuple(_tokens(span.of(read.text))))


def _support(sentence: _Sentence, score: float) -> Support:
    read = sentence.read
    start, end = read.start + sentence.span.start, read.start + sentence.span.end
    return Support(read.number, read.version_id, start, end, sentence.span.of(read.text), score)


def _tokens(text: str) -> list[str]:
    return [token.lower().replace("’", "'") for token in TOKEN.findall(text)]


def _score(claim: Sequence[str], source: Sequence[str]) -> float:
    """0 when the sentence does not say the claim; else the share of its words that the claim repeats."""
    for places in _matches(claim, source):
        first, last = places[0], places[-1]
        window = [token for token in source[first : last + 1] if token not in ARTICLES]
        if len(claim) / len(window) >= LEAST_SHARE and not _turns(source, places):
            return len(claim) / len(source)
    return 0.0


def _matches(claim: Sequence[str], source: Sequence[str]) -> Iterator[list[int]]:
    """Places of the claim's tokens in the source, in order; one attempt for each place it can begin at."""
    for begin, token in enumerate(source):
        if token != claim[0]:
            continue
        places = [begin]
        for wanted in claim[1:]:
            place = next((at for at in range(places[-1] + 1, len(source)) if source[at] == wanted), None)
            if place is None:
                return
            places.append(place)
        yield places


def _turns(source: Sequence[str], places: Sequence[int]) -> bool:
    """Whether what the claim leaves out of its clause turns the meaning."""
    first, last = places[0], places[-1]
    inside = [place for place in range(first, last + 1) if place not in set(places)]
    if any(source[at] in TURNING | BORDERS or _is_other_number(source, at) for at in inside):
        return True
    while first > 0 and source[first - 1] not in BORDERS:
        first -= 1
    while last + 1 < len(source) and source[last + 1] not in BORDERS:
        last += 1
    around = [*source[first : places[0]], *source[places[-1] + 1 : last + 1]]
    return any(token in CONDITIONS for token in around)


def _is_other_number(source: Sequence[str], place: int) -> bool:
    """A number in figures, unless it repeats one in words, as “thirty (30)” does."""
    return source[place][0].isdigit() and not (place and source[place - 1] in NUMBER_WORDS)


NUMBER_WORDS = frozenset(
    """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
    """.split()
)
