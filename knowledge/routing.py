"""Which documents a question is about: found by their names, with a confidence.

How the thresholds were chosen: docs/retrieval.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from knowledge import generations, names
from knowledge.access import Scope
from knowledge.index import NAMES, Ask, Hit, Where

CANDIDATES = 8
SAME = 0.85  # of the best score: documents this close cannot be told apart
MOST_MEANT = 3  # more than this, and the names are words that many documents have


@dataclass(frozen=True)
class Route:
    """`documents` are those that the question may mean, the best first, with their scores from 0 to 1."""

    documents: tuple[UUID, ...] = ()
    scores: tuple[float, ...] = ()
    confidence: float = 0.0  # 1 minus the share of the best score that the next document has

    @property
    def meant(self) -> tuple[UUID, ...]:
        """The documents that are meant: usually one, a few where they cannot be told apart, or none."""
        near = sum(score >= SAME for score in self.scores)
        return self.documents[:near] if near <= MOST_MEANT else ()


def route(scope: Scope, question: str) -> Route:
    """The documents of the scope that the question names; an empty route when it names none."""
    if scope.is_empty:
        return Route()
    generation = generations.current()
    [found] = generations.index(generation).ask([ask(question, Where(scope.matter_ids, scope.document_ids))])
    return of(found)


def ask(question: str, where: Where) -> Ask:
    """What the index is asked; without a name in the question it finds nothing and costs nothing."""
    return Ask(NAMES, names.asked(question), where, CANDIDATES)


def of(found: Sequence[Hit]) -> Route:
    """The route that these documents, found by name, make."""
    if not found:
        return Route()
    best = found[0].score
    scores = tuple(hit.score / best for hit in found)
    confidence = 1 - (scores[1] if len(scores) > 1 else 0.0)
    return Route(tuple(hit.document_id for hit in found), scores, confidence)
