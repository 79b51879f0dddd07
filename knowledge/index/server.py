"""The index on a Qdrant server or cluster, through qdrant-client, with the schema of the embedded one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

from knowledge.index import bm25
from knowledge.index.asks import Vector, ready
from knowledge.index.schema import (
    BREADTH,
    DENSE,
    DOCUMENT,
    END,
    FIELDS,
    MATTER,
    NAMES,
    SPARSE,
    START,
    VERSION,
    Ask,
    Hit,
    IndexConfig,
    IndexUnavailable,
    Point,
    Where,
)

PAGE = 1_000
TIMEOUT_SECONDS = 30


def connect(config: IndexConfig) -> QdrantClient:
    # The check of versions runs in its own thread and only warns; a server that is away we tell ourselves.
    return QdrantClient(
        url=config.url, api_key=config.api_key or None, timeout=TIMEOUT_SECONDS, check_compatibility=False
    )


class ServerIndex:
    """The client may be a connection to a server, or the client's own local mode in tests."""

    def __init__(self, client: QdrantClient, config: IndexConfig) -> None:
        self._client = client
        self._name = config.collection
        self._config = config
        with _typed():
            if not client.collection_exists(self._name):
                self._create(config.dimensions)

    def upsert(self, points: Sequence[Point]) -> None:
        if points:
            with _typed():
                self._client.upsert(self._name, [_point(point) for point in points], wait=True)

    def delete_version(self, version_id: UUID) -> None:
        self._delete(VERSION, version_id)

    def delete_document(self, document_id: UUID) -> None:
        self._delete(DOCUMENT, document_id)

    def ask(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        prepared = list(ready(asks, has_names=self._config.has_names))
        found: list[list[Hit]] = [[] for _ in asks]
        if prepared:
            requests = [_request(ask, vector, self._config.tenant(ask.by)) for _, ask, vector in prepared]
            with _typed():
                answers = self._client.query_batch_points(self._name, requests)
            for (place, _, _), answer in zip(prepared, answers, strict=True):
                found[place] = [_hit(point) for point in answer.points]
        return found

    def points(self) -> Iterator[tuple[UUID, UUID]]:
        for record in self._scroll(None, with_payload=True):
            yield UUID(str(record.id)), UUID((record.payload or {})[VERSION])

    def warm(self) -> None:
        """A server warms itself."""

    def delete_points(self, ids: Sequence[UUID]) -> None:
        if ids:
            with _typed():
                self._client.delete(self._name, models.PointIdsList(points=[str(each) for each in ids]))

    def is_empty(self) -> bool:
        with _typed():
            return self._client.count(self._name, exact=True).count == 0

    def is_lost(self) -> bool:
        with _typed():
            return not self._client.collection_exists(self._name)

    def count(self, where: Where) -> int:
        if where.is_empty:
            return 0
        with _typed():
            return self._client.count(self._name, count_filter=_filter(where), exact=True).count

    def ids(self, where: Where) -> Iterator[UUID]:
        if not where.is_empty:
            yield from (UUID(str(record.id)) for record in self._scroll(_filter(where), with_payload=False))

    def _scroll(self, allowed: models.Filter | None, *, with_payload: bool) -> Iterator[models.Record]:
        offset: Any = None
        while True:
            with _typed():
                records, offset = self._client.scroll(
                    self._name, scroll_filter=allowed, limit=PAGE, offset=offset, with_payload=with_payload
                )
            yield from records
            if offset is None:
                return

    def compact(self) -> None:
        """A server's optimizer drops deleted points by itself."""

    def flush(self) -> None:
        """A server that acknowledged a write with `wait` has it in its log."""

    def close(self) -> None:
        self._client.close()

    def _create(self, dimensions: int) -> None:
        sparse = (SPARSE, NAMES) if self._config.has_names else (SPARSE,)
        self._client.create_collection(
            self._name,
            vectors_config={DENSE: models.VectorParams(size=dimensions, distance=models.Distance.COSINE)},
            sparse_vectors_config={
                name: models.SparseVectorParams(modifier=models.Modifier.IDF) for name in sparse
            },
        )
        for field in FIELDS:
            schema = models.KeywordIndexParams(
                type=models.KeywordIndexType.KEYWORD, is_tenant=True if field == MATTER else None
            )
            self._client.create_payload_index(self._name, field, schema)

    def _delete(self, field: str, value: UUID) -> None:
        selector = models.FilterSelector(filter=_all_of([(field, [str(value)])]))
        with _typed():
            self._client.delete(self._name, selector, wait=True)


def _point(point: Point) -> models.PointStruct:
    vectors: dict[str, Any] = {DENSE: point.dense.tolist()}
    for name, (indices, values) in (
        (SPARSE, bm25.document(point.text)),
        (NAMES, bm25.names(point.names)),
    ):
        if indices:
            vectors[name] = models.SparseVector(indices=indices, values=values)
    return models.PointStruct(id=str(point.id), vector=vectors, payload=point.payload())


def _request(ask: Ask, vector: Vector, tenant: str) -> models.QueryRequest:
    """How rare a word is counts within what may be read: no other matter tells how often it has a word."""
    query: Any = vector
    params = models.SearchParams(hnsw_ef=BREADTH)
    if isinstance(vector, tuple):
        query = models.SparseVector(indices=vector[0], values=vector[1])
        params = models.SearchParams(
            idf=models.IdfCorpusParams(corpus=_filter(Where(ask.where.matter_ids), tenant))
        )
    return models.QueryRequest(
        query=query,
        using=ask.by,
        filter=_filter(ask.where, tenant),
        limit=ask.limit,
        with_payload=[DOCUMENT, START, END],
        params=params,
    )


def _hit(found: models.ScoredPoint) -> Hit:
    said = found.payload or {}
    return Hit(UUID(str(found.id)), found.score, UUID(said[DOCUMENT]), said.get(START, 0), said.get(END, 0))


def _filter(where: Where, tenant: str = MATTER) -> models.Filter:
    return _all_of(where.conditions(tenant))


def _all_of(conditions: list[tuple[str, list[str]]]) -> models.Filter:
    return models.Filter(
        must=[models.FieldCondition(key=key, match=_match(values)) for key, values in conditions]
    )


def _match(values: list[str]) -> models.MatchValue | models.MatchAny:
    """The engine goes through a list of one value much more slowly than through the value."""
    return models.MatchValue(value=values[0]) if len(values) == 1 else models.MatchAny(any=values)


@contextmanager
def _typed() -> Iterator[None]:
    try:
        yield
    except (ApiException, ResponseHandlingException, httpx.HTTPError, ConnectionError) as error:
        raise IndexUnavailable(f"The Qdrant server cannot be reached or refuses: {error}") from error
