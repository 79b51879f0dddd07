"""The embedded index: a Qdrant Edge shard in this process, with write-ahead log, HNSW, BM25 and filters.

A shard can be opened by one process only; a lock beside it makes a second opener fail with a clear message.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from knowledge.index import bm25, places, shards
from knowledge.index.asks import Vector, ready
from knowledge.index.places import SHOWN, Places
from knowledge.index.schema import (
    DENSE,
    DOCUMENT,
    MATTER,
    NAMES,
    SPARSE,
    VERSION,
    Ask,
    Hit,
    IndexConfig,
    IndexUnavailable,
    Point,
    Where,
)
from knowledge.index.shards import UNFINISHED, typed

OPTIMIZE_EVERY = 5_000  # points written between two builds of the HNSW graph
FLUSH_EVERY = 5_000  # points written between two flushes of all files: what is read again after a crash
PAGE = 1_000
LAST_QUERY_SECONDS = 1.0


class EdgeIndex:
    """Thread-safe: the engine reads in parallel, writes take turns."""

    def __init__(self, config: IndexConfig) -> None:
        config.path.mkdir(parents=True, exist_ok=True)
        self._lock = shards.own(config.path / "owner.lock")
        self._config = config
        self._path = shards.newest(config.path)
        try:
            self._shard = shards.opened(self._path, config)
        except IndexUnavailable:
            self._lock.close()
            raise
        self._writing, self._flushing = Lock(), Lock()
        self._asked = self._flushed = 0  # flushes: the last one asked for, the last one that is covered
        self._written = self._unflushed = 0
        self._places = Places()
        self._closed = False

    def upsert(self, points: Sequence[Point]) -> None:
        if points:
            self._write(edge.UpdateOperation.upsert_points([_point(point) for point in points]), len(points))
            self._written += len(points)
            self._places.keep(points)

    def delete_version(self, version_id: UUID) -> None:
        self._delete(VERSION, version_id)

    def delete_document(self, document_id: UUID) -> None:
        self._delete(DOCUMENT, document_id)

    def ask(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        prepared = list(ready(asks, has_names=self._config.has_names))
        found: list[list[Hit]] = [[] for _ in asks]
        if prepared:
            requests = [_request(ask, vector, self._config.tenant(ask.by)) for _, ask, vector in prepared]
            with typed():
                shard = self._engine
                answers = shard.query_batch(edge.QueryBatchRequest(requests))
                hits = self._places.hits(shard, answers)
            for (place, _, _), answer in zip(prepared, hits, strict=True):
                found[place] = answer
        return found

    def points(self) -> Iterator[tuple[UUID, UUID]]:
        for record in self._scroll(None, with_payload=True):
            yield UUID(str(record.id)), UUID(record.payload[VERSION])

    def warm(self) -> None:
        records = islice(self._scroll(None, with_payload=SHOWN), places.MOST)
        while page := list(islice(records, PAGE)):
            self._places.learn(page)

    def delete_points(self, ids: Sequence[UUID]) -> None:
        if ids:
            self._write(edge.UpdateOperation.delete_points([str(each) for each in ids]))

    def is_empty(self) -> bool:
        with typed():
            return int(self._engine.count(edge.CountRequest())) == 0

    def is_lost(self) -> bool:
        return not self._path.exists()

    def count(self, where: Where) -> int:
        if where.is_empty:
            return 0
        with typed():
            return int(self._engine.count(edge.CountRequest(filter=_filter(where))))

    def ids(self, where: Where) -> Iterator[UUID]:
        if not where.is_empty:
            yield from (UUID(str(record.id)) for record in self._scroll(_filter(where), with_payload=False))

    def compact(self) -> None:
        """The engine keeps deleted points in its log and segments, whatever it is told: the others are copied
        into a new shard, which takes over, and the old one is removed.
        """
        with self._flushing, self._writing:
            old, old_path = self._engine, self._path
            path = old_path.with_name(f"shard-{shards.number(old_path) + 1}{UNFINISHED}")
            shutil.rmtree(
                path, ignore_errors=True
            )  # of a copy that broke off: it may hold what is deleted now
            self._copy_to(shards.opened(path, self._config))
            self._path = path.rename(path.with_name(path.name.removesuffix(UNFINISHED)))
            self._shard = shards.opened(self._path, self._config)
        time.sleep(LAST_QUERY_SECONDS)  # for queries that are still at the old one
        old.close()
        shutil.rmtree(old_path)

    def _copy_to(self, fresh: edge.EdgeShard) -> None:
        try:
            for records in self._copies():
                with typed():
                    fresh.update(edge.UpdateOperation.upsert_points(records))
            with typed():
                fresh.optimize()
                fresh.flush()
        finally:
            fresh.close()

    def _copies(self) -> Iterator[list[edge.Point]]:
        offset: Any = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=True, with_vector=True)
            with typed():
                records, offset = self._engine.scroll(request)
            yield [edge.Point(id=row.id, vector=row.vector or {}, payload=row.payload) for row in records]
            if offset is None:
                return

    def flush(self) -> None:
        """Write the engine's log to the disk: from it the engine makes again what its other files lack.

        Its own flush writes all of them, and keeps Python's interpreter meanwhile. One flush of ours serves
        all who asked before it began.
        """
        with self._writing:
            self._asked += 1
            mine = self._asked
        with self._flushing:
            if self._flushed < mine:
                self._flush()

    def _flush(self) -> None:
        with self._writing, typed():
            covered = self._asked
            if self._written >= OPTIMIZE_EVERY:
                self._engine.optimize()
                self._written = 0
            if self._unflushed >= FLUSH_EVERY:
                self._engine.flush()
                self._unflushed = 0
            log = shards.log_of(self._path)
        with typed():
            shards.sync(log)
        self._flushed = covered

    def close(self) -> None:
        with self._flushing, self._writing:
            if not self._closed:
                self._closed = True
                self._shard.close()
                self._lock.close()

    def _scroll(self, allowed: edge.Filter | None, *, with_payload: bool | list[str]) -> Iterator[Any]:
        offset: Any = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, filter=allowed, with_payload=with_payload)
            with typed():
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

    def _write(self, operation: edge.UpdateOperation, points: int = 1) -> None:
        with self._writing, typed():
            self._engine.update(operation)
            self._unflushed += points


def _point(point: Point) -> edge.Point:
    vectors: dict[str, Any] = {DENSE: point.dense.tolist()}
    for name, (indices, values) in (
        (SPARSE, bm25.document(point.text)),
        (NAMES, bm25.names(point.names)),
    ):
        if indices:
            vectors[name] = edge.SparseVector(indices=indices, values=values)
    return edge.Point(id=str(point.id), vector=vectors, payload=point.payload())


def _request(ask: Ask, vector: Vector, tenant: str) -> edge.QueryRequest:
    """How rare a word is counts within what may be read: no other matter tells how often it has a word."""
    allowed = _filter(ask.where, tenant)
    if isinstance(vector, tuple):
        sparse = edge.SparseVector(indices=vector[0], values=vector[1])
        query = edge.Query.Nearest(sparse, using=ask.by)
        params = edge.SearchParams(idf=edge.IdfParams(corpus=_filter(Where(ask.where.matter_ids), tenant)))
    else:
        query, params = edge.Query.Nearest(vector, using=ask.by), None
    return edge.QueryRequest(query=query, filter=allowed, limit=ask.limit, with_payload=False, params=params)


def _filter(where: Where, tenant: str = MATTER) -> edge.Filter:
    return _all_of(where.conditions(tenant))


def _all_of(conditions: list[tuple[str, list[str]]]) -> edge.Filter:
    return edge.Filter(
        must=[edge.FieldCondition(key=key, match=_match(values)) for key, values in conditions]
    )


def _match(values: list[str]) -> edge.MatchValue | edge.MatchAny:
    """The engine goes through a list of one value four to twenty times as slowly as through the value."""
    return edge.MatchValue(values[0]) if len(values) == 1 else edge.MatchAny(any=values)
