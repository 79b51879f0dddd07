"""Checking what was generated against what was in the prompt.

A sentence is verbatim when a source says it word for word: all its words but articles stand in one sentence
of the source, in the same order, and nothing was left out on the way that could turn the meaning (a negation,
an auxiliary, a condition, a number). Dates and amounts may be written otherwise, as long as they are equal.

A sentence in other words is only ever shown beside the place that it names itself (or, if it names none, a
key sentence of the question), and marked so that it is compared: its values and names must all stand there,
most of its words too, and a negation in neither or both.
What does not check out gets no citation. The quote that is stored is always the source's own text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from knowledge import facts, folding, highlight, sentences
from knowledge.units import Unit

MARKER = re.compile(r"\s*\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]")
LIST_SIGN = re.compile(r"^\s*(?:[-–•*]|\d{1,2}[.)])\s+")
# A number with its separators is one token; so are the signs that decide what a number means.
TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[%€$£§;:]", re.UNICODE)
QUOTED = re.compile(r"“([^“”]{12,})”|\"([^\"]{12,})\"")  # shorter ones are mere terms
ARTICLES = frozenset({"a", "an", "the"})
# Words that turn what the whole clause says, or say whose word it is: a claim may neither bring one along nor
# leave one out.
CONDITIONS = frozenset(
    """
    not no nor neither never none nothing cannot without unless except excluding only solely if whether until
    before after provided subject notwithstanding however but deny denies denied refuse refuses refused fail
    fails failed reject rejects rejected alleged allegedly
    according allege alleges argue argued argues assert asserted asserts believe believed believes claim
    claimed claims contend contended contends maintain maintained maintains opined opines say says
    state stated states submits suggest suggested suggests testified thinks thought
    """.split()
)
# Words that turn what stands next to them: none may be left out between the words of a claim or just before.
TURNING = CONDITIONS | frozenset(
    """
    may might must shall should will would can could need either both any all each every when other than less
    more least most fewer greater below above under over up minimum maximum exceed hundred thousand million
    billion half double about almost approximately around circa nearly roughly
    """.split()
)
# A question that neither "yes" nor "no" nor one of two things it names answers.
ASKS_FOR_SOMETHING = re.compile(
    r"^\s*(?:(?:at|by|for|from|in|of|on|to|under|until|with|within)\s+)?"
    r"(?:what|which|who|whom|whose|when|where|how|why)\b(?!.*\bor\b)",
    re.IGNORECASE | re.DOTALL,
)
LEAST_CONTENT = 3  # words that are not stop words; less is no claim
LEAST_SHARE = 0.5  # of the stretch of the source that a claim covers
LEAST_COMMON = 0.6  # of the words of a claim in other words, that its place has too
BORDERS = frozenset({";", ":"})
FIGURES = frozenset("0123456789#")  # what a number begins with, "#" a date or an amount
NEGATIONS = frozenset("not no nor neither never none nothing cannot without".split())
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Read:
    """A stretch of a document version that was in the prompt, with its offset in the version's text."""

    version_id: UUID
    start: int
    text: str
    units: Sequence[Unit] = ()  # as the model saw them; none for what had no numbers
    title: str = ""


@dataclass(frozen=True)
class Support:
    """The place in a source that a claim rests on: offsets in the version's text, and its words."""

    unit: int  # where it begins; 0 where there are none
    version_id: UUID
    start: int
    end: int
    quote: str
    score: float  # how much of that sentence the claim repeats, 0 to 1
    is_verbatim: bool = True


@dataclass(frozen=True)
class Finding:
    """What became of a claim: its text as it may be shown, where it rests, and what is wrong with it."""

    text: str
    support: Support | None
    problem: str = ""


@dataclass(frozen=True)
class _Sentence:
    read: Read
    span: sentences.Span
    tokens: tuple[str, ...]
    unit: int


class Checker:
    """Checks sentence after sentence of one answer against the same sources."""

    def __init__(self, reads: Sequence[Read], likely: Sequence[Read] = (), question: str = "") -> None:
        """`likely`: sentences found for the question, with which a claim that names no place is compared."""
        self._question = _said(question) if ASKS_FOR_SOMETHING.match(question) else set()
        reads = [*reads, *likely]
        self._reads = reads
        self._likely = [(read, _unit_at(read, 0, len(read.text))) for read in likely]
        self._sentences = [_sentence(read, span) for read in reads for span in sentences.split(read.text)]
        self._units = {unit.id: (read, unit) for read in reads for unit in read.units}

    def check(self, claim: str) -> Finding:
        """The claim with its quotations in the source's own words, and the place that carries it."""
        text = without_markers(claim)
        places = [self._units[unit] for unit in named(claim) if unit in self._units]
        for match in QUOTED.finditer(text):
            said = match[1] or match[2]
            found = self._quotation(said)
            if found is None:
                return Finding(text, None, f"the sources do not say “{_short(said)}”")
            read, start, end = found
            text = text.replace(said, " ".join(read.text[start:end].split()))
            places.append((read, _unit_at(read, start, end)))
        support = self.support(text)
        if support:
            return Finding(text, support)
        if text.endswith("?"):  # whatever it names: a question claims nothing
            return Finding(text, None, "it is a question, not an answer")
        if self._question and _said(text) <= self._question:
            return Finding(text, None, "it only repeats the question")
        if places:
            return _in_other_words(text, places)
        return Finding(text, _in_other_words(text, self._likely).support)

    def support(self, claim: str) -> Support | None:
        """The sentence of the sources that says this word for word, or None."""
        said = LIST_SIGN.sub("", MARKER.sub("", claim))
        tokens = [token for token in _tokens(said) if token not in ARTICLES]
        content = [token for token in tokens if token not in highlight.STOP_WORDS and token not in BORDERS]
        if sum(3 if token.startswith("#") else 1 for token in content) < LEAST_CONTENT:
            return None
        preferred = set(named(claim))
        best: tuple[float, bool, _Sentence] | None = None
        for sentence in self._sentences:
            score = _score(tokens, sentence.tokens)
            if score and (best is None or (score, sentence.unit in preferred) > best[:2]):
                best = (score, sentence.unit in preferred, sentence)
        return _support(best[2], best[0]) if best else None

    def _quotation(self, said: str) -> tuple[Read, int, int] | None:
        """Where a source has these words: the read, and the span in its text."""
        for read in self._reads:
            span = folding.find(said, read.text)
            if span is not None:
                return read, *span
        return None


def named(claim: str) -> list[int]:
    """The units that a claim names as its source."""
    return [int(number) for marker in MARKER.findall(claim) for number in re.findall(r"\d+", marker)]


def without_markers(claim: str) -> str:
    """The claim without the source numbers the model wrote; the checked citations replace them."""
    return MARKER.sub("", claim).strip()


def _sentence(read: Read, span: sentences.Span) -> _Sentence:
    unit = _unit_at(read, span.start, span.end)
    return _Sentence(read, span, tuple(_tokens(span.of(read.text))), unit.id)


def _unit_at(read: Read, start: int, end: int) -> Unit:
    """The unit in which a span of the read's text begins; the span itself where there are none."""
    at = bisect_right([unit.start for unit in read.units], read.start + start) - 1
    return read.units[at] if at >= 0 else Unit(0, read.start + start, read.start + end)


def _support(sentence: _Sentence, score: float) -> Support:
    read = sentence.read
    start, end = read.start + sentence.span.start, read.start + sentence.span.end
    return Support(sentence.unit, read.version_id, start, end, sentence.span.of(read.text), score)


def _in_other_words(text: str, places: Sequence[tuple[Read, Unit]]) -> Finding:
    """The first of the places named that has what the claim says; if none has, what is not there."""
    problem = ""
    for read, unit in places:
        place = read.text[unit.start - read.start : unit.end - read.start]
        absent = facts.missing(text, f"{read.title}\n{place}")
        common = _common(text, place)
        if absent:
            problem = problem or f"“{_short(absent[0].text)}” does not stand in the place it names"
        elif common >= LEAST_COMMON:
            support = Support(
                unit.id, read.version_id, unit.start, unit.end, place, common, is_verbatim=False
            )
            return Finding(text, support)
    return Finding(text, None, problem)


def _common(claim: str, place: str) -> float:
    """The share of the claim's words that the place has; 0 where a negation stands in one of them alone."""
    wanted = highlight.terms(claim)
    if len(wanted) < LEAST_CONTENT:
        return 0.0
    spans = [span.of(place) for span in sentences.split(place)]
    nearest = max(spans, key=lambda text: len(wanted & highlight.terms(text)), default="")
    if _negates(claim) != _negates(nearest):
        return 0.0
    return len(wanted & highlight.terms(place)) / len(wanted)


def _negates(text: str) -> bool:
    return any(token in NEGATIONS or token.endswith("n't") for token in _tokens(text))


def _said(text: str) -> set[str]:
    """What a sentence says, in stems: every number, negation and sign, and all words but the emptiest."""
    left_out = highlight.STOP_WORDS - NEGATIONS
    return {highlight.stem(token) for token in _tokens(text) if token not in left_out}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN].rstrip()}…"


def _tokens(text: str) -> list[str]:
    """Words and signs in lower case; a date or an amount of money is one token, however it is written."""
    pieces: list[str | facts.Key] = []
    at = 0
    for fact in facts.values(text):
        if fact.kind in {"date", "money"}:
            pieces += [text[at : fact.start], min(fact.keys)]
            at = fact.end
    tokens: list[str] = []
    for piece in [*pieces, text[at:]]:
        if isinstance(piece, tuple):
            tokens.append("#" + " ".join(piece))
        elif piece:
            tokens += [token.lower().replace("’", "'") for token in TOKEN.findall(piece)]
    return tokens


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
    if _before(source, first) in TURNING:
        return True
    while first > 0 and source[first - 1] not in BORDERS:
        first -= 1
    while last + 1 < len(source) and source[last + 1] not in BORDERS:
        last += 1
    around = [*source[first : places[0]], *source[places[-1] + 1 : last + 1]]
    return any(token in CONDITIONS for token in around)


def _before(source: Sequence[str], place: int) -> str:
    """The word before this place, but for articles."""
    return next((token for token in reversed(source[:place]) if token not in ARTICLES), "")


def _is_other_number(source: Sequence[str], place: int) -> bool:
    """A number in figures, unless it repeats one in words, as “thirty (30)” does."""
    return source[place][0] in FIGURES and not (place and source[place - 1] in NUMBER_WORDS)


NUMBER_WORDS = frozenset(
    """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
    """.split()
)
