"""Retrieval inside a person's scope: dense and BM25, fused in the index, each hit checked by the database."""

from dataclasses import dataclass
from uuid import UUID

from knowledge import access, generations, highlight
from knowledge.access import Scope
from knowledge.index import IndexUnavailable, Where
from knowledge.models import Page, Passage

LONGEST_QUERY = 2_000
MOST_RESULTS = 50
SPARE = 20


@dataclass(frozen=True)
class Result:
    """One passage found, with where it stands and why it matched."""

    passage: Passage
    score: float
    page_label: str
    snippet: list[highlight.Piece]


class BadQuery(Exception):
    """The query cannot be searched; the message says why."""


def retrieve(scope: Scope, query: str, limit: int = 10) -> list[Result]:
    """The best passages of the scope for this query, best first. An empty scope asks nothing of the index.

    Raises BadQuery, and IndexUnavailable also while nothing can be found because the index is being rebuilt.
    """
    query = checked(query)
    if scope.is_empty:
        return []
    generation = generations.current()
    dense = generations.embedder(generation).embed_query(query)
    where = Where(scope.matter_ids, scope.document_ids)
    wanted = min(limit, MOST_RESULTS)
    # A few more, for what the second lock takes away.
    hits = generations.index(generation).query(dense, query, where, wanted + SPARE)
    passages = readable(scope, [hit.id for hit in hits])
    if not passages:
        check_rebuilt(scope)
    labels = _page_labels(list(passages.values()))
    return [
        Result(
            passage=passages[hit.id],
            score=hit.score,
            page_label=labels.get((passages[hit.id].version_id, passages[hit.id].page_first), ""),
            snippet=highlight.snippet(passages[hit.id].text, query),
        )
        for hit in [hit for hit in hits if hit.id in passages][:wanted]
    ]


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
