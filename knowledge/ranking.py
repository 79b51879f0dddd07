"""The order of what was found: how near in meaning, which words, which document, what stands beside it.

Pure: hits in, order out. Ids are compared as numbers, which are hashed ten times as fast. How the weights
were chosen: docs/retrieval.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.index import Hit

BESIDE = 100  # characters of white space between passages that follow each other: empty lines, a page's end
HEAD = 4  # the best passages; behind them neighbours count more, for long clauses fill several passages


@dataclass(frozen=True)
class Weights:
    meaning: float = 0.8  # the rest is the words'
    neighbours: float = 0.2  # the share of a score that comes from the passages before and behind
    neighbours_behind: float = 0.3  # the same behind the head
    is_routed: bool = True  # whether the documents that a question names come first
    is_adapted: bool = True  # whether the question's vector goes through `knowledge.adapter`


DEFAULT = Weights()


def ranked(
    meaning: Sequence[Hit], words: Sequence[Hit], weights: Weights = DEFAULT
) -> list[tuple[Hit, float]]:
    """All that either half found with its score, from 0 to 1, best first."""
    rows = list({hit.id.int: hit for hit in [*meaning, *words]}.values())
    if not rows:
        return []
    scores = _scores(meaning, words, rows, weights)
    beside = _beside(scores, rows)
    head = scores + weights.neighbours * (beside - scores)
    tail = scores + weights.neighbours_behind * (beside - scores)
    order = np.argsort(-head, kind="stable")
    first, rest = order[:HEAD], order[HEAD:]
    rest = rest[np.argsort(-tail[rest], kind="stable")]
    shown = [*head[first].tolist(), *np.minimum(tail[rest], head[first[-1]]).tolist()]
    return [(rows[at], score) for at, score in zip([*first.tolist(), *rest.tolist()], shown, strict=True)]


def _scores(
    meaning: Sequence[Hit], words: Sequence[Hit], rows: Sequence[Hit], weights: Weights
) -> NDArray[np.float64]:
    """(N,): how near in meaning each is, and which words of the question it has."""
    places = {hit.id.int: place for place, hit in enumerate(rows)}
    near = _column(meaning, places, floor=min([hit.score for hit in meaning], default=0.0))
    said = _column(words, places, floor=0.0)
    return weights.meaning * near + (1 - weights.meaning) * said / (said.max() or 1.0)


def joined(
    first: Sequence[tuple[Hit, float]], second: Sequence[tuple[Hit, float]]
) -> list[tuple[Hit, float]]:
    """All of the first, then what only the second has; the scores of the first are raised above 1."""
    known = {hit.id.int for hit, _ in first}
    return [
        *((hit, score + 1) for hit, score in first),
        *(each for each in second if each[0].id.int not in known),
    ]


def _column(found: Sequence[Hit], places: dict[int, int], floor: float) -> NDArray[np.float64]:
    """(N,): the scores of this half; what it did not find has the floor."""
    column = np.full(len(places), floor)
    column[[places[hit.id.int] for hit in found]] = [hit.score for hit in found]
    return column


def _beside(scores: NDArray[np.float64], rows: Sequence[Hit]) -> NDArray[np.float64]:
    """(N,): the mean score of the passages before and behind: what stands around an answer is about the same.

    In place of one that was not found, the passage's own score.
    """
    document, start, end = _stand(rows)
    order = np.lexsort((start, document))
    document, start, end = document[order], start[order], end[order]
    # Points of an older form do not know where they stand: both ends are 0.
    is_placed, is_near = end[:-1] > start[:-1], start[1:] - end[:-1] <= BESIDE
    follows = is_placed & is_near & (document[1:] == document[:-1])
    ordered = scores[order]
    before, behind = ordered.copy(), ordered.copy()
    before[1:][follows] = ordered[:-1][follows]
    behind[:-1][follows] = ordered[1:][follows]
    beside = np.empty(len(rows))
    beside[order] = (before + behind) / 2
    return beside


def _stand(rows: Sequence[Hit]) -> NDArray[np.int64]:
    """(3, N): the number of the document, start and end of each."""
    numbers: dict[int, int] = {}
    documents = [numbers.setdefault(hit.document_id.int, len(numbers)) for hit in rows]
    return np.array([documents, [hit.start for hit in rows], [hit.end for hit in rows]])
