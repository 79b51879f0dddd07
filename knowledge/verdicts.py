"""Judging whether one document says yes to a question, from its own sentences.

Retrieval inside the document chooses passages, their sentences are scored by likeness in meaning to the
question and to typical wordings, by the question's words, and by the wording of the kind of clause that is
asked for. A name in the question (a state, a party) must stand in the sentence. How the weights and
thresholds were chosen, and how good they are: docs/research.md.
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

PASSAGES = 10  # of a document that are looked through sentence by sentence
QUOTES = 3
# Likeness in meaning; share of the topic's words; wording of the clause.
MEANING, WORDS, WORDING = 0.5, 0.2, 0.3
NAME_MISSING, DENIED = 0.4, 0.5  # what a sentence keeps of its score without the name; when it says no
YES, NO = 0.62, 0.45  # from here on yes, below it no; between them undecided
# Without a kind of clause there is no wording to go by: meaning and words alone.
YES_PLAIN, NO_PLAIN = 0.5, 0.3
WORTH_SHOWING = 0.75  # of the best score


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

    def in_part(self, note: str) -> "Judged":
        """Of a document that could only be read in part: what was not found may stand in the rest."""
        if self.value == Verdict.Value.YES:
            return self
        return replace(self, value=Verdict.Value.UNDECIDED, note=note)


def analysed(embedder: Embedder, question: str) -> Question:
    topic = topics.of(question)
    clause = topics.clause(embedder, topic)
    said = [topic.text, *(clause.names + clause.sentences if clause else ())]
    vectors = np.vstack([embedder.embed_query(question), embedder.embed_passages(said)])
    return Question(embedder, topic, clause, vectors, frozenset(highlight.terms(topic.text)))


def judge(question: Question, passages: Sequence[Passage]) -> Judged:
    """The verdict on the document that these passages, with their vectors, are all of."""
    chosen = _closest(question, passages)
    candidates = statements(question.embedder).of(chosen)
    if not candidates.texts:
        return Judged(Verdict.Value.NO, 0.0, passages=len(chosen))
    scores = _scores(question, candidates)
    best = float(np.clip(scores.max(), 0.0, 1.0))
    found = tuple(_quotes(candidates, scores)) if best >= _bounds(question)[0] else ()
    return Judged(_value(question, best), best, found, passages=len(chosen))


def _bounds(question: Question) -> tuple[float, float]:
    return (NO, YES) if question.clause else (NO_PLAIN, YES_PLAIN)


def _value(question: Question, score: float) -> Verdict.Value:
    least, enough = _bounds(question)
    if score >= enough:
        return Verdict.Value.YES
    return Verdict.Value.NO if score < least else Verdict.Value.UNDECIDED


def _closest(question: Question, passages: Sequence[Passage]) -> list[Passage]:
    """The passages most likely to answer: near in meaning, or worded like the clause."""
    vectors = np.stack([np.frombuffer(bytes(passage.vector or b""), np.float16) for passage in passages])
    near = (vectors.astype(np.float32) @ question.vectors.T).max(axis=1)  # (N,)
    hints = np.array([_hint(question, plainly(passage.text)) for passage in passages])
    order = np.argsort(-(near + hints), kind="stable")[:PASSAGES]
    return [passages[place] for place in order]


def _hint(question: Question, plain: str) -> float:
    worded = question.clause is not None and bool(question.clause.wording.search(plain))
    return 0.3 * worded + 0.2 * question.topic.is_named_in(plain)


def _scores(question: Question, candidates: Candidates) -> NDArray[np.float64]:
    meaning = (candidates.vectors @ question.vectors.T).max(axis=1)
    shares = np.array([_share(question, text) for text in candidates.texts])
    factors = np.array([_factor(question, plainly(text)) for text in candidates.texts])
    if question.clause is None:
        return np.asarray((0.7 * meaning + 0.3 * shares) * factors)
    worded = np.array([question.clause.is_worded(plainly(text)) for text in candidates.texts])
    return np.asarray((MEANING * meaning + WORDS * shares + WORDING * worded) * factors)


def _share(question: Question, text: str) -> float:
    if not question.terms:
        return 0.0
    return len(question.terms & highlight.terms(text)) / len(question.terms)


def _factor(question: Question, plain: str) -> float:
    factor = 1.0 if question.topic.is_named_in(plain) else NAME_MISSING
    return factor * (DENIED if question.clause and question.clause.is_denied(plain) else 1.0)


def _quotes(candidates: Candidates, scores: NDArray[np.float64]) -> list[Quote]:
    """The best sentences, each once."""
    found: list[Quote] = []
    for place in np.argsort(-scores, kind="stable"):
        if len(found) == QUOTES or scores[place] < WORTH_SHOWING * scores.max():
            break
        quote = candidates.quote(int(place), float(scores[place]))
        if not any(quote.start < other.end and other.start < quote.end for other in found):
            found.append(quote)
    return found
