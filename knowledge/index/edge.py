"""The embedded index: a Qdrant Edge shard in this process, with write-ahead log, HNSW, BM25 and filters.

A shard can be opened by one process only; a lock beside it makes a second opener fail with a clear message.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from threading import Event, Lock, Thread
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from knowledge.index import bm25, places, shards
from knowledge.index.asks import Vector, ready
from knowledge.index.building import Build
from knowledge.index.places import SHOWN, Places
from knowledge.index.schema import (
    BREADTH,
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
from knowledge.index.shards import typed

logger = logging.getLogger(__name__)

BUILD_BYTES = 12_000_000  # of vectors outside of the graph, at least: the engine makes none for 10 MB
BUILD_SHARE = 0.1  # of all points
FLOAT_BYTES = 4
AGAIN_SECONDS = 300.0  # after a build that failed
FLUSH_EVERY = 5_000  # points written between two flushes of all files: what is read again after a crash
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
            with typed():
                shards.remove_others(self._path)
        except IndexUnavailable:
            self._lock.close()
            raise
        self._renewing, self._flushing, self._writing = Lock(), Lock(), Lock()  # taken in this order
        self._asked = self._flushed = 0  # flushes: the last one asked for, the last one that is covered
        self._unflushed, self._unbuilt = 0, _unbuilt(self._shard)
        self._build: Build | None = None  # to be told of what is written
        self._builder: Thread | None = None
        self._places = Places()
        self._closing, self._closed = Event(), False

    def upsert(self, points: Sequence[Point]) -> None:
        if points:
            self._wait_for_room()
            self._write(edge.UpdateOperation.upsert_points([_point(point) for point in points]), len(points))
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
        for found in shards.records(self._serving, with_payload=True):
            yield from ((UUID(str(row.id)), UUID((row.payload or {})[VERSION])) for row in found)

    def warm(self) -> None:
        for found in islice(shards.records(self._serving, with_payload=SHOWN), places.MOST // shards.PAGE):
            self._places.learn(found)

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
            for found in shards.records(self._serving, _filter(where)):
                yield from (UUID(str(row.id)) for row in found)

    def build(self) -> None:
        """Bring into the graph what was written since. Where it cannot be, the old shard serves on."""
        self._renew(anew=False)

    def compact(self) -> None:
        """The engine keeps deleted points in its log and segments, whatever it is told: the others are copied
        into a new shard, which takes over, and the old one is removed.
        """
        self._renew(anew=True)

    def _renew(self, *, anew: bool) -> None:
        with self._renewing, typed():
            self._check_open()
            build = Build(self._path, self._config, anew=anew)
            try:
                self._copy_for(build)
                build.run()
                old = self._take_over(build)
            finally:
                with self._writing:
                    self._build = None
                build.clear()
            self._closing.wait(LAST_QUERY_SECONDS)  # for queries that are still at the old one
            old.close()
            shards.remove_others(self._path)

    def _copy_for(self, build: Build) -> None:
        with self._writing:
            self._check_open()
            build.copy()
            self._build = build

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise IndexUnavailable("The index is closed.")

    def _take_over(self, build: Build) -> edge.EdgeShard:
        with self._flushing, self._writing:
            old = self._engine
            self._shard, self._path = build.finish(), build.path
            self._unbuilt = self._unflushed = build.points
            self._build = None
        return old

    def _build_soon(self) -> None:
        if self._builder is None or not self._builder.is_alive():
            self._builder = Thread(target=self._keep_built, name="index-builder", daemon=True)
            self._builder.start()

    def _keep_built(self) -> None:
        while not self._closing.is_set() and self._is_outgrown:
            try:
                self.build()
            except IndexUnavailable as error:
                if not self._closing.is_set():
                    logger.warning("The index serves as it is, %d points behind: %s", self._unbuilt, error)
                    self._closing.wait(AGAIN_SECONDS)

    @property
    def _is_outgrown(self) -> bool:
        """Whether so much was written since the graph was built that going through it takes its time."""
        if self._unbuilt * self._config.dimensions * FLOAT_BYTES < BUILD_BYTES:
            return False
        return self._unbuilt >= BUILD_SHARE * self._engine.info().points_count

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
            if self._unflushed >= FLUSH_EVERY:
                self._engine.flush()
                self._unflushed = 0
            log = shards.log_of(self._path)
        with typed():
            shards.sync(log)
            if self._is_outgrown:
                self._build_soon()
        self._flushed = covered

    def close(self) -> None:
        self._closing.set()
        with self._writing:
            if self._build is not None:
                self._build.stop("The index is closed.")
        with self._renewing, self._flushing, self._writing:
            if not self._closed:
                self._closed = True
                self._shard.close()
                self._lock.close()

    @property
    def _engine(self) -> edge.EdgeShard:
        if self._closed:
            raise IndexUnavailable("The index is closed.")
        return self._shard

    def _serving(self) -> edge.EdgeShard:
        return self._engine

    def _delete(self, field: str, value: UUID) -> None:
        self._write(edge.UpdateOperation.delete_points_by_filter(_all_of([(field, [str(value)])])))

    def _wait_for_room(self) -> None:
        """Who writes very much waits for the end of a build that could not keep up."""
        build = self._build
        if build is not None and build.is_full:
            build.over.wait()

    def _write(self, operation: edge.UpdateOperation, points: int = 1) -> None:
        with self._writing, typed():
            self._engine.update(operation)
            self._unflushed += points
            self._unbuilt += points
            if self._build is not None:
                self._build.remember(operation, points)


def _unbuilt(shard: edge.EdgeShard) -> int:
    """About how many points are not in the graph of vectors; words and names are always in theirs."""
    info = shard.info()
    called = int(shard.count(edge.CountRequest(filter=edge.Filter(must=[edge.HasVectorCondition(NAMES)]))))
    return int(max(0, 2 * info.points_count + called - info.indexed_vectors_count))


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
        query, params = edge.Query.Nearest(vector, using=ask.by), edge.SearchParams(hnsw_ef=BREADTH)
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
