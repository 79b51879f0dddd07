"""The embedded index: a Qdrant Edge shard in this process, with write-ahead log, HNSW, BM25 and filters.

A shard can be opened by one process only; a lock beside it makes a second opener fail with a clear message.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any
from uuid import UUID

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from knowledge.index import bm25
from knowledge.index.schema import (
    DENSE,
    DOCUMENT,
    FIELDS,
    MATTER,
    SPARSE,
    VERSION,
    Hit,
    IndexBroken,
    IndexConfig,
    IndexUnavailable,
    Point,
    Where,
    candidates,
)

OPTIMIZE_EVERY = 5_000  # points written between two builds of the HNSW graph
PAGE = 1_000
RRF_K = 60


class EdgeIndex:
    """Thread-safe: the engine reads in parallel, writes take turns."""

    def __init__(self, config: IndexConfig) -> None:
        config.path.mkdir(parents=True, exist_ok=True)
        self._lock = _own(config.path / "owner.lock")
        self._path = config.path / "shard"
        try:
            self._shard = _open(self._path, config.dimensions)
        except IndexUnavailable:
            self._lock.close()
            raise
        self._writing = Lock()
        self._written = 0
        self._closed = False

    def upsert(self, points: Sequence[Point]) -> None:
        if points:
            self._write(edge.UpdateOperation.upsert_points([_point(point) for point in points]))
            self._written += len(points)

    def delete_version(self, version_id: UUID) -> None:
        self._delete(VERSION, version_id)

    def delete_document(self, document_id: UUID) -> None:
        self._delete(DOCUMENT, document_id)

    def query(self, dense: NDArray[np.float32], text: str, where: Where, limit: int) -> list[Hit]:
        if where.is_empty or limit < 1:
            return []
        # The filter stands in each half and again around the fusion: no half can leak into the result.
        allowed = _filter(where)
        halves = [_half(edge.Query.Nearest(dense.tolist(), using=DENSE), allowed, limit)]
        indices, values = bm25.query(text)
        if indices:
            sparse = edge.SparseVector(indices=indices, values=values)
            halves.append(_half(edge.Query.Nearest(sparse, using=SPARSE), allowed, limit))
        fusion: Any = edge.Fusion.Rrf(RRF_K)  # the stubs do not know that it is a Fusion
        fused = edge.QueryRequest(
            prefetches=halves, query=fusion, filter=allowed, limit=limit, with_payload=False
        )
        with _typed():
            return [Hit(UUID(str(found.id)), float(found.score)) for found in self._engine.query(fused)]

    def points(self) -> Iterator[tuple[UUID, UUID]]:
        for record in self._scroll(None, with_payload=True):
            yield UUID(str(record.id)), UUID(record.payload[VERSION])

    def delete_points(self, ids: Sequence[UUID]) -> None:
        if ids:
            self._write(edge.UpdateOperation.delete_points([str(each) for each in ids]))

    def is_empty(self) -> bool:
        with _typed():
            return int(self._engine.count(edge.CountRequest())) == 0

    def is_lost(self) -> bool:
        return not self._path.exists()

    def count(self, where: Where) -> int:
        if where.is_empty:
            return 0
        with _typed():
            return int(self._engine.count(edge.CountRequest(filter=_filter(where))))

    def ids(self, where: Where) -> Iterator[UUID]:
        if not where.is_empty:
            yield from (UUID(str(record.id)) for record in self._scroll(_filter(where), with_payload=False))

    def flush(self) -> None:
        with self._writing, _typed():
            if self._written >= OPTIMIZE_EVERY:
                self._engine.optimize()
                self._written = 0
            self._engine.flush()

    def close(self) -> None:
        with self._writing:
            if not self._closed:
                self._closed = True
                self._shard.close()
                self._lock.close()

    def _scroll(self, allowed: edge.Filter | None, *, with_payload: bool) -> Iterator[Any]:
        offset: Any = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, filter=allowed, with_payload=with_payload)
            with _typed():
                records, offset = self._engine.scroll(request)
            yield from records
            if offset is None:
                return

    @property
    def _engine(self) -> edge.EdgeShard:
        if self._closed:
            raise IndexUnavailable("The index is closed.")
        return self._shard

    def _delete(self, field: str, value: UUID) -> None:
        self._write(edge.UpdateOperation.delete_points_by_filter(_all_of([(field, [str(value)])])))

    def _write(self, operation: edge.UpdateOperation) -> None:
        with self._writing, _typed():
            self._engine.update(operation)


def _own(path: Path) -> IO[str]:
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise IndexUnavailable(
            "Another process has the index open; it takes one at a time. Is `manage.py serve` running?"
        ) from None
    return handle


def _open(path: Path, dimensions: int) -> edge.EdgeShard:
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Cosine)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
    )
    if path.exists():
        try:
            return edge.EdgeShard.load(str(path), config)
        except Exception as error:  # the bindings have no exception class of their own
            raise IndexBroken(f"The index cannot be opened: {error}") from error
    with _typed():
        shard = edge.EdgeShard.create(str(path), config)
        for field in FIELDS:
            schema = edge.KeywordIndexParams(is_tenant=field == MATTER)
            shard.update(edge.UpdateOperation.create_field_index(field, schema))
        shard.flush()
        return shard


def _point(point: Point) -> edge.Point:
    indices, values = bm25.document(point.text)
    vectors: dict[str, Any] = {DENSE: point.dense.tolist()}
    if indices:
        vectors[SPARSE] = edge.SparseVector(indices=indices, values=values)
    return edge.Point(id=str(point.id), vector=vectors, payload=point.payload())


def _half(query: edge.Query, allowed: edge.Filter, limit: int) -> edge.Prefetch:
    return edge.Prefetch(query=query, filter=allowed, limit=candidates(limit))


def _filter(where: Where) -> edge.Filter:
    return _all_of(where.conditions())


def _all_of(conditions: list[tuple[str, list[str]]]) -> edge.Filter:
    return edge.Filter(
        must=[edge.FieldCondition(key=field, match=edge.MatchAny(any=values)) for field, values in conditions]
    )


@contextmanager
def _typed() -> Iterator[None]:
    """The engine raises bare exceptions of its own making; they become ours."""
    try:
        yield
    except IndexUnavailable:
        raise
    except Exception as error:  # the bindings have no exception class of their own
        raise IndexUnavailable(f"The index failed: {error}") from error
