"""Retrieval inside a person's scope: by meaning and by words, in the documents that are meant first.

Each hit is checked by the database before it can be shown.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from knowledge import access, adapter, generations, highlight, kinds, names, prepared, ranking, routing
from knowledge.access import Scope
from knowledge.index import DENSE, SPARSE, Ask, Hit, Index, IndexUnavailable, Where
from knowledge.models import Document, Matter, Page, Passage, Version

LONGEST_QUERY = 2_000
MOST_RESULTS = 200
SPARE = 20
# What each half of a query brings, however many results are wanted: what is measured of 128 holds for ten. In
# documents that are meant or picked, all that they have: a contract is seldom longer than 1,000 passages.
CANDIDATES, CANDIDATES_INSIDE = 240, 1_000


@dataclass(frozen=True)
class Result:
    """One passage found, with where it stands and why it matched."""

    passage: Passage
    score: float
    page_label: str
    query: str
    ranges: Sequence[tuple[int, int]] = ()  # of the passage, marked beside the words of the query

    @cached_property
    def snippet(self) -> list[highlight.Piece]:
        return highlight.snippet(self.passage.text, self.query, self.ranges)


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
    return _results(scope, _hits(scope, query, wanted + SPARE, weights), query, wanted)


def like(scope: Scope, passage: Passage, limit: int = 10) -> list[Result]:
    """Other passages of the scope that say what this one says, by its stored vector and its words."""
    if scope.is_empty or passage.vector is None:
        return []
    wanted = min(limit, MOST_RESULTS)
    dense = np.frombuffer(bytes(passage.vector), np.float16).astype(np.float32)
    where = Where(scope.matter_ids, scope.document_ids)
    ranked = _ranked(generations.index(passage.generation), dense, passage.text, where)
    others = [found for found in ranked if found[0].id != passage.pk]
    return _results(scope, others, passage.text, wanted)


def passage_at(version: Version, offset: int) -> Passage | None:
    """The passage that search reads at this place of a version's text, or the next one."""
    rows = version.passages.filter(generation=generations.current(), end__gt=offset)
    return rows.select_related("generation").order_by("start").first()


def _results(scope: Scope, hits: Sequence[tuple[Hit, float]], query: str, wanted: int) -> list[Result]:
    """The first that may be shown; a few more are looked at where the second lock takes some away."""
    first = hits[:wanted]
    passages = readable(scope, [hit.id for hit, _ in first])
    if len(passages) < len(first):
        spare = hits[wanted : wanted + SPARE]
        passages |= readable(scope, [hit.id for hit, _ in spare])
        first = [*first, *spare]
    if not passages:
        check_rebuilt(scope)
    shown = [(passages[hit.id], score) for hit, score in first if hit.id in passages][:wanted]
    labels = _page_labels([passage for passage, _ in shown])
    return [
        Result(passage, score, labels.get((passage.version_id, passage.page_first), ""), query)
        for passage, score in shown
    ]


def _hits(scope: Scope, query: str, enough: int, weights: ranking.Weights) -> list[tuple[Hit, float]]:
    """What the index finds, in order. Documents that the question names are asked on their own, for what the
    question says beside their names; where they have not enough, the rest of the scope stands behind them.
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
    inside = Where(scope.matter_ids, meant)  # which costs nothing when no document is meant
    first = _ranked(index, dense, kinds.spelled(inner), inside, weights)
    rest = _ranked(index, dense, kinds.spelled(query), everywhere, weights) if len(first) < enough else []
    return ranking.joined(first, rest)


def _ranked(
    index: Index,
    dense: NDArray[np.float32],
    words: str,
    where: Where,
    weights: ranking.Weights = ranking.DEFAULT,
) -> list[tuple[Hit, float]]:
    is_inside = where.document_ids is not None and len(where.document_ids) <= routing.MOST_MEANT
    count = CANDIDATES_INSIDE if is_inside else CANDIDATES
    meaning, said = index.ask([Ask(DENSE, dense, where, count), Ask(SPARSE, words, where, count)])
    return ranking.ranked(meaning, said, weights)


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


def readable(scope: Scope, passage_ids: Sequence[UUID]) -> dict[UUID, Passage]:
    """The second lock: what the database says may be shown, whatever the index returned.

    Only passages of the current version of a document inside the scope, with their version, document, matter.
    """
    passages = prepared.rows_by(Passage, "id", passage_ids)
    versions = _versions(scope, {passage.version_id for passage in passages})
    allowed = [passage for passage in passages if passage.version_id in versions]
    for passage in allowed:
        passage.version = versions[passage.version_id]
    return {passage.pk: passage for passage in allowed}


def _versions(scope: Scope, version_ids: Collection[UUID]) -> dict[UUID, Version]:
    """Those of the versions that may be shown now, with their document and matter."""
    versions = prepared.by_id(Version, version_ids)
    documents = prepared.by_id(Document, {version.document_id for version in versions.values()})
    may_read = scope.matter_ids & access.open_ids(scope.user_id)
    matters = prepared.by_id(Matter, may_read & {document.matter_id for document in documents.values()})
    found: dict[UUID, Version] = {}
    for version in versions.values():
        document = documents.get(version.document_id)
        if document is None or document.current_id != version.pk or document.matter_id not in matters:
            continue
        if scope.document_ids is None or document.pk in scope.document_ids:
            document.matter = matters[document.matter_id]
            version.document = document
            found[version.pk] = version
    return found


def _page_labels(passages: Sequence[Passage]) -> dict[tuple[UUID, int], str]:
    pages = prepared.values(
        Page,
        ("version_id", "number", "label"),
        version_id={passage.version_id for passage in passages},
        number={passage.page_first for passage in passages},
    )
    return {(version_id, number): label for version_id, number, label in pages}
