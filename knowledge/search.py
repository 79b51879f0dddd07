"""Retrieval inside a person's scope: by meaning and by words, in the documents that are meant first.

Each hit is checked by the database before it can be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from knowledge import access, adapter, generations, highlight, names, ranking, routing
from knowledge.access import Scope
from knowledge.index import DENSE, SPARSE, Ask, Hit, IndexUnavailable, Where
from knowledge.models import Page, Passage, Version

LONGEST_QUERY = 2_000
MOST_RESULTS = 200
SPARE = 20
# Each half of a query brings so many candidates for each result asked for, and at least so many.
CANDIDATES_PER_RESULT = 4
LEAST_CANDIDATES = 100


@dataclass(frozen=True)
class Result:
    """One passage found, with where it stands and why it matched."""

    passage: Passage
    score: float
    page_label: str
    snippet: list[highlight.Piece]


class BadQuery(Exception):
    """The query cannot be searched; the message says why."""


def retrieve(
    scope: Scope, query: str, limit: int = 10, *, weights: ranking.Weights = ranking.DEFAULT
) -> list[Result]:
    """The best passages of the scope for this query, best first. An empty scope asks nothing of the index.

    Raises BadQuery, and IndexUnavailable also while nothing can be found because the index is being rebuilt.
    """
    query = checked(query)
    if scope.is_empty:
        return []
    wanted = min(limit, MOST_RESULTS)
    # A few more, for what the second lock takes away.
    return _results(scope, _hits(scope, query, wanted + SPARE, weights)[: wanted + SPARE], query, wanted)


def like(scope: Scope, passage: Passage, limit: int = 10) -> list[Result]:
    """Other passages of the scope that say what this one says, by its stored vector and its words."""
    if scope.is_empty or passage.vector is None:
        return []
    wanted = min(limit, MOST_RESULTS)
    dense = np.frombuffer(bytes(passage.vector), np.float16).astype(np.float32)
    where, count = Where(scope.matter_ids, scope.document_ids), max(LEAST_CANDIDATES, 2 * wanted)
    index = generations.index(passage.generation)
    meaning, words = index.ask([Ask(DENSE, dense, where, count), Ask(SPARSE, passage.text, where, count)])
    ranked = ranking.ranked(meaning, words)
    others = [found for found in ranked if found[0].id != passage.pk]
    return _results(scope, others[: wanted + SPARE], passage.text, wanted)


def passage_at(version: Version, offset: int) -> Passage | None:
    """The passage that search reads at this place of a version's text, or the next one."""
    rows = version.passages.filter(generation=generations.current(), end__gt=offset)
    return rows.select_related("generation").order_by("start").first()


def _results(scope: Scope, hits: Sequence[tuple[Hit, float]], query: str, wanted: int) -> list[Result]:
    passages = readable(scope, [hit.id for hit, _ in hits])
    if not passages:
        check_rebuilt(scope)
    labels = _page_labels(list(passages.values()))
    return [
        Result(
            passage=passages[hit.id],
            score=score,
            page_label=labels.get((passages[hit.id].version_id, passages[hit.id].page_first), ""),
            snippet=highlight.snippet(passages[hit.id].text, query),
        )
        for hit, score in [(hit, score) for hit, score in hits if hit.id in passages][:wanted]
    ]


def _hits(scope: Scope, query: str, limit: int, weights: ranking.Weights) -> list[tuple[Hit, float]]:
    """What the index finds, in order. Documents that the question names are asked on their own, for what the
    question says beside their names; the rest of the scope stands behind them.
    """
    generation = generations.current()
    index = generations.index(generation)
    everywhere = Where(scope.matter_ids, scope.document_ids)
    meant: frozenset[UUID] = frozenset()
    if weights.is_routed:
        [named] = index.ask([routing.ask(query, everywhere)])
        meant = frozenset(routing.of(named).meant)
    inner = names.rest(query) if meant else query
    dense = generations.embedder(generation).embed_query(inner)
    if weights.is_adapted:
        dense = adapter.adapted(dense, generation)
    count = max(LEAST_CANDIDATES, CANDIDATES_PER_RESULT * limit)
    inside = Where(scope.matter_ids, meant)  # which costs nothing when no document is meant
    found = index.ask(
        [
            Ask(DENSE, dense, inside, count),
            Ask(SPARSE, inner, inside, count),
            Ask(DENSE, dense, everywhere, count),
            Ask(SPARSE, query, everywhere, count),
        ]
    )
    first, second = (ranking.ranked(found[at], found[at + 1], weights) for at in (0, 2))
    return ranking.joined(first, second)


def check_rebuilt(scope: Scope) -> None:
    """Raise IndexUnavailable while the index is being rebuilt: “nothing found” would not be true."""
    left = generations.rebuilding(scope.matter_ids)
    if left:
        raise IndexUnavailable(f"The index is being rebuilt: {left} documents to go.")


def checked(query: str) -> str:
    query = query.replace("\x00", "").strip()
    if not query:
        raise BadQuery("Type what to look for.")
    if len(query) > LONGEST_QUERY:
        raise BadQuery(f"That is {len(query):,} characters; at most {LONGEST_QUERY:,} can be searched for.")
    return query


def readable(scope: Scope, passage_ids: list[UUID]) -> dict[UUID, Passage]:
    """The second lock: what the database says may be shown, whatever the index returned.

    Only passages of the current version of a document inside the scope.
    """
    rows = Passage.objects.select_related("version__document__matter").filter(
        pk__in=passage_ids,
        version__document__matter_id__in=scope.matter_ids,
        version__document__matter__in=access.open_to(scope.user_id),
        version__current_of__isnull=False,
    )
    if scope.document_ids is not None:
        rows = rows.filter(version__document__in=scope.document_ids)
    return {row.pk: row for row in rows}


def _page_labels(passages: list[Passage]) -> dict[tuple[UUID, int], str]:
    pages = Page.objects.filter(
        version__in={passage.version_id for passage in passages},
        number__in={passage.page_first for passage in passages},
    )
    return {(page[0], page[1]): page[2] for page in pages.values_list("version_id", "number", "label")}
