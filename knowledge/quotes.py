"""Key passages: the sentences of the retrieved passages that answer the question best, word for word.

They are shown, and checked, before anything is generated; they also decide whether anything relevant was
found. How the weights were chosen: docs/answers.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge import adapter, furniture, generations, headings, highlight, kinds, names, sentences, topics
from knowledge.clauses import Clause, plainly
from knowledge.models import Generation, Passage

PASSAGES = 12  # how many passages are looked through
QUOTES = 4  # how many sentences are shown at most
FROM_ONE_DOCUMENT = 3
SHORTEST = 20  # characters
LEAST_WORDS, LEAST_WORDS_IN_CAPITALS = 5, 8
# Likeness in meaning; share of the question's words in the sentence, in its passage; rank of the passage.
MEANING, WORDS, AROUND, RANK = 0.5, 0.2, 0.15, 0.15
KIND, KIND_RELEVANCE = 0.1, 0.1
WORDED = 0.15  # like the kind of clause that is asked for, or under a heading with its name
# Relevance leaves place, surroundings and what was learned out: below this the best sentence answers another
# question.
RELEVANCE_MEANING, RELEVANT = 0.7, 0.32
WORTH_SHOWING = 0.6  # of the best score
_LEADERS = re.compile(r"\.{5,}|(?:\. ){5,}")
_ENTRY = re.compile(r"[^\W\d_][^.;:]*\s(?:\d{1,3}|[ivxl]{1,5})\s*$")  # a title, and its page


@dataclass(frozen=True)
class Quote:
    """A sentence of a passage; start and end count code points of the version's text."""

    passage: Passage
    start: int
    end: int
    text: str
    score: float  # 0 to 1, and up to KIND + WORDED more


@dataclass(frozen=True)
class _Candidate:
    passage: Passage
    rank: int  # of the passage, from 0
    span: sentences.Span
    words: str  # without running heads and feet

    @property
    def text(self) -> str:
        return self.span.of(self.passage.text)

    @property
    def heading(self) -> str:
        """The nearest above it."""
        before = self.passage.text[: self.span.start]
        return [self.passage.heading.split(" › ")[-1], *headings.of(before)][-1]


def best(
    generation: Generation, question: str, passages: Sequence[Passage], asked: Sequence[Clause] | None = None
) -> list[Quote]:
    """The sentences worth quoting, best first; empty when nothing relevant was found.

    asked: the kinds of clauses that the question surely asks for (`topics.asked`), where they are known.
    """
    candidates = _candidates(passages)
    if not candidates:
        return []
    meaning, learned = _likeness(generation, question, candidates)
    words = _shares(question, candidates, [candidate.words for candidate in candidates])
    told = _told(question, candidates)
    relevance = RELEVANCE_MEANING * meaning + (1 - RELEVANCE_MEANING) * words + KIND_RELEVANCE * told
    if relevance.max() < RELEVANT:
        return []
    around = _shares(question, candidates, [candidate.passage.text for candidate in candidates])
    rank = np.array([1 / (1 + candidate.rank / 2) for candidate in candidates])
    scores = MEANING * learned + WORDS * words + AROUND * around + RANK * rank + KIND * told
    if asked is None:
        asked = topics.asked(generations.embedder(generation), question)
    return _choose(candidates, scores + WORDED * _worded(asked, candidates))


def _candidates(passages: Sequence[Passage]) -> list[_Candidate]:
    looked = passages[:PASSAGES]
    between = furniture.of_passages(looked)
    found = []
    for rank, passage in enumerate(looked):
        plain = furniture.blanked(passage.text, passage.start, between.get(passage.version_id, []))
        for span in sentences.split(plain):
            words = " ".join(span.of(plain).split())
            if _is_statement(words) and not _is_contents(span.of(plain)):
                found.append(_Candidate(passage, rank, span, words))
    return found


def _is_statement(text: str) -> bool:
    """Not a heading, a title page, a page number or a cell of a table."""
    words = highlight.WORD.findall(text)
    if len(text) < SHORTEST or len(words) < LEAST_WORDS:
        return False
    if any(word.islower() for word in words):
        return True
    # Whole clauses are in capitals where the law wants them seen: limits of liability, waivers.
    return text.isupper() and len(words) >= LEAST_WORDS_IN_CAPITALS and text.endswith((".", ";", ":"))


def _is_contents(text: str) -> bool:
    """Lines of a table of contents: they name what stands elsewhere."""
    lines = [line for line in text.splitlines() if line.strip()]
    entries = [line for line in lines if _ENTRY.search(line)]
    return bool(_LEADERS.search(text)) or (len(lines) > 1 and len(entries) > len(lines) / 2)


def _likeness(
    generation: Generation, question: str, candidates: Sequence[_Candidate]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How near each is in meaning: to the question, and to what search looks for in the documents, (N,) each.

    The second is without the names of documents, and moved towards how contracts say it.
    """
    embedder = generations.embedder(generation)
    vectors = embedder.embed_passages([candidate.words for candidate in candidates])
    rest, whole = names.rest(question), embedder.embed_query(question)
    asked = adapter.adapted(whole if rest == question else embedder.embed_query(rest), generation)
    return vectors @ whole, vectors @ asked


def _worded(asked: Sequence[Clause], candidates: Sequence[_Candidate]) -> NDArray[np.float64]:
    """1 for each that is worded like the kind of clause asked for, or stands under its name, (N,).

    An amendment may say only which figure replaces which.
    """
    said = [(plainly(candidate.words), plainly(candidate.heading)) for candidate in candidates]
    return np.array(
        [float(any(kind.is_worded(text) or kind.is_named(above) for kind in asked)) for text, above in said]
    )


def _shares(question: str, candidates: Sequence[_Candidate], texts: Sequence[str]) -> NDArray[np.float64]:
    """The share of the question's words found in each text or in what names its source, shape (N,)."""
    wanted = highlight.terms(question)
    if not wanted:
        return np.zeros(len(texts))
    found = [
        len(wanted & (highlight.terms(text) | _names(candidate.passage)))
        for candidate, text in zip(candidates, texts, strict=True)
    ]
    return np.array(found) / len(wanted)


def _told(question: str, candidates: Sequence[_Candidate]) -> NDArray[np.float64]:
    """What it tells that a text has the kind of value asked for, 0 to 1, shape (N,): the rarer, the more."""
    kind = kinds.asked(question)
    if kind is None:
        return np.zeros(len(candidates))
    told = np.array([float(kinds.is_told(kind, candidate.words)) for candidate in candidates])
    return np.asarray(told * (1 - told.mean()))


def _names(passage: Passage) -> set[str]:
    """The words of the document's name, its title and the headings above: what people call a source."""
    path = re.sub(r"[\W_]+", " ", passage.version.document.path)
    return highlight.terms(f"{path} {passage.version.title} {passage.heading}")


def _choose(candidates: Sequence[_Candidate], scores: NDArray[np.float64]) -> list[Quote]:
    """The best ones, and not all from one document while others have something to say: they may differ."""
    ranked = [_quote(candidates[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")]
    worth = [quote for quote in ranked if quote.score >= WORTH_SHOWING * scores.max()]
    chosen: list[Quote] = []
    for most in (FROM_ONE_DOCUMENT, QUOTES):
        for quote in worth:
            same = [other for other in chosen if other.passage.version_id == quote.passage.version_id]
            if len(chosen) < QUOTES and len(same) < most and not _repeats(quote, chosen):
                chosen.append(quote)
    return sorted(chosen, key=lambda quote: -quote.score)


def _quote(candidate: _Candidate, score: float) -> Quote:
    start, passage = candidate.passage.start, candidate.passage
    return Quote(passage, start + candidate.span.start, start + candidate.span.end, candidate.text, score)


def _repeats(quote: Quote, quotes: list[Quote]) -> bool:
    same = [other for other in quotes if other.passage.version_id == quote.passage.version_id]
    return any(other.text == quote.text for other in quotes) or any(
        quote.start < other.end and other.start < quote.end for other in same
    )
