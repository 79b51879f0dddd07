"""Judging whether one document says yes to a question, from its own sentences.

Where the question asks for a kind of clause that we know, every sentence of the document is held against its
wordings; those that fit are scored by likeness in meaning. For any other question the passages closest in
meaning are looked through sentence by sentence. A name in the question (a state, a party) must stand in the
sentence. How the thresholds were chosen, and how good they are: docs/research.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.embedder import Embedder
from knowledge import highlight, topics
from knowledge.clauses import Clause, plainly
from knowledge.models import Passage, Verdict
from knowledge.quotes import Quote
from knowledge.statements import Candidates, statements

PASSAGES = 6  # of a document that are looked through where no wording leads
WORDED = 12  # passages with the wording whose sentences are scored
QUOTES = 3
# A worded sentence says yes from this likeness on; without one, a passage as near as this leaves it open.
YES_WORDED, OPEN_NEAR = 0.3, 0.6
# Without a kind of clause: likeness in meaning and share of the topic's words.
MEANING, WORDS = 0.7, 0.3
YES, OPEN = 0.5, 0.3
CARRIES = OPEN / 2  # a yes of the generator; it is asked for what likeness alone does not find
NAME_MISSING = 0.4  # what a sentence keeps of its score without the name
WORTH_SHOWING = 0.75  # of the best score
NEAR = "No sentence is worded like such a clause, but this comes close in meaning."
HEADING = "Only a heading is worded like such a clause."


@dataclass(frozen=True)
class Question:
    """A question to many documents, understood and embedded once."""

    embedder: Embedder
    topic: topics.Topic
    clause: Clause | None
    vectors: NDArray[np.float32]  # (M, dimensions): the topic and typical wordings
    terms: frozenset[str]


@dataclass(frozen=True)
class Judged:
    value: Verdict.Value
    score: float | None = None
    quotes: tuple[Quote, ...] = ()
    note: str = ""
    passages: int = 0  # looked through

    def settled(self, value: Verdict.Value, note: str) -> "Judged":
        """What it is in the end, when the generator was asked; the score was that of the sentences alone."""
        score = self.score if value == Verdict.Value.UNDECIDED else None
        return replace(self, value=value, score=score, note=" ".join(filter(None, [self.note, note])))

    def in_part(self, note: str) -> "Judged":
        """Of a document that could only be read in part: what was not found may stand in the rest."""
        if self.value == Verdict.Value.YES:
            return self
        told = " ".join(filter(None, [self.note, note]))
        return replace(self, value=Verdict.Value.UNDECIDED, note=told)


def analysed(embedder: Embedder, question: str) -> Question:
    topic = topics.of(question)
    clause = topics.clause(embedder, topic)
    said = [topic.text, *(clause.names + clause.sentences if clause else ())]
    vectors = np.vstack([embedder.embed_query(question), embedder.embed_passages(said)])
    return Question(embedder, topic, clause, vectors, frozenset(highlight.terms(topic.text)))


def judge(question: Question, passages: Sequence[Passage]) -> Judged:
    """The verdict on the document that these passages, with their vectors, are all of."""
    near = _near(question, passages)
    if question.clause is None:
        return _by_meaning(question, _closest(passages, near, PASSAGES), len(passages))
    worded = [place for place, passage in enumerate(passages) if _is_worded(question, passage)]
    if worded:
        chosen = _closest([passages[place] for place in worded], near[worded], WORDED)
        return _by_wording(question, chosen, len(passages))
    if question.topic.names or near.max() < OPEN_NEAR:
        return Judged(Verdict.Value.NO, float(near.max() / 2), passages=len(passages))
    found = _nearest(question, _closest(passages, near, 1))
    return Judged(Verdict.Value.UNDECIDED, float(near.max() / 2), found, NEAR, len(passages))


def closest(question: Question, passages: Sequence[Passage]) -> list[Passage]:
    """All of them, the closest in meaning first."""
    return _closest(passages, _near(question, passages), len(passages))


def is_near(question: Question, text: str) -> bool:
    """Whether this sentence is not plainly about something else."""
    vectors = question.embedder.embed_passages([text])
    return bool(_scores(question, Candidates([], [], [text], vectors))[0] >= CARRIES)


def _near(question: Question, passages: Sequence[Passage]) -> NDArray[np.float32]:
    """The likeness of each passage to what of the question is closest to it, shape (N,)."""
    vectors = np.stack([np.frombuffer(bytes(passage.vector or b""), np.float16) for passage in passages])
    return np.asarray((vectors.astype(np.float32) @ question.vectors.T).max(axis=1))


def _closest(passages: Sequence[Passage], near: NDArray[np.float32], most: int) -> list[Passage]:
    return [passages[place] for place in np.argsort(-near, kind="stable")[:most]]


def _is_worded(question: Question, passage: Passage) -> bool:
    """Whether a sentence of it has the wording, and the names."""
    clause = question.clause
    return clause is not None and clause.is_worded_in(passage.text, question.topic.is_named_in)


def _fits(question: Question, text: str) -> bool:
    plain = plainly(text)
    clause = question.clause
    return clause is not None and clause.is_worded(plain) and question.topic.is_named_in(plain)


def _by_wording(question: Question, passages: Sequence[Passage], read: int) -> Judged:
    candidates = statements(question.embedder).of(passages, lambda text: _fits(question, text))
    if not candidates.texts:  # the words of a heading, which says nothing by itself
        return Judged(Verdict.Value.UNDECIDED, OPEN, note=HEADING, passages=read)
    scores = (candidates.vectors @ question.vectors.T).max(axis=1)
    best = float(np.clip(scores.max(), 0.0, 1.0))
    value = Verdict.Value.YES if best >= YES_WORDED else Verdict.Value.UNDECIDED
    return Judged(value, 0.5 + best / 2, _quotes(candidates, scores), passages=read)


def _by_meaning(question: Question, passages: Sequence[Passage], read: int) -> Judged:
    candidates = statements(question.embedder).of(passages)
    if not candidates.texts:
        return Judged(Verdict.Value.NO, 0.0, passages=read)
    scores = _scores(question, candidates)
    best = float(np.clip(scores.max(), 0.0, 1.0))
    if best < OPEN:
        return Judged(Verdict.Value.NO, best, passages=read)
    value = Verdict.Value.YES if best >= YES else Verdict.Value.UNDECIDED
    return Judged(value, best, _quotes(candidates, scores), passages=read)


def _nearest(question: Question, passages: Sequence[Passage]) -> tuple[Quote, ...]:
    candidates = statements(question.embedder).of(passages)
    return _quotes(candidates, _scores(question, candidates)) if candidates.texts else ()


def _scores(question: Question, candidates: Candidates) -> NDArray[np.float64]:
    meaning = (candidates.vectors @ question.vectors.T).max(axis=1)
    shares = np.array([_share(question, text) for text in candidates.texts])
    named = np.array([question.topic.is_named_in(plainly(text)) for text in candidates.texts])
    return np.asarray((MEANING * meaning + WORDS * shares) * np.where(named, 1.0, NAME_MISSING))


def _share(question: Question, text: str) -> float:
    if not question.terms:
        return 0.0
    return len(question.terms & highlight.terms(text)) / len(question.terms)


def _quotes(candidates: Candidates, scores: NDArray[np.float64]) -> tuple[Quote, ...]:
    """The best sentences, each once."""
    found: list[Quote] = []
    for place in np.argsort(-scores, kind="stable"):
        if len(found) == QUOTES or scores[place] < WORTH_SHOWING * scores.max():
            break
        quote = candidates.quote(int(place), float(scores[place]))
        if not any(quote.start < other.end and other.start < quote.end for other in found):
            found.append(quote)
    return tuple(found)
