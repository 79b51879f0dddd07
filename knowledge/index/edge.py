"""The embedded index: a Qdrant Edge shard in this process, with write-ahead log, HNSW, BM25 and filters.

A shard can be opened by one process only; a lock beside it makes a second opener fail with a clear message.
"""

import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any
from uuid import UUID

import qdrant_edge as edge

from knowledge.index import bm25
from knowledge.index.asks import Vector, ready
from knowledge.index.schema import (
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
    IndexBroken,
    IndexConfig,
    IndexUnavailable,
    Point,
    Where,
)

OPTIMIZE_EVERY = 5_000  # points written between two builds of the HNSW graph
PAGE = 1_000
UNFINISHED = ".making"
LAST_QUERY_SECONDS = 1.0
SHOWN = [DOCUMENT, START, END]  # of a hit


class EdgeIndex:
    """Thread-safe: the engine reads in parallel, writes take turns."""

    def __init__(self, config: IndexConfig) -> None:
        config.path.mkdir(parents=True, exist_ok=True)
        self._lock = _own(config.path / "owner.lock")
        self._config = config
        self._path = _newest(config.path)
        try:
            self._shard = _open(self._path, config)
        except IndexUnavailable:
            self._lock.close()
            raise
        self._writing, self._flushing = Lock(), Lock()
        self._asked = self._flushed = 0  # flushes: the last one asked for, the last one that is covered
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

    def ask(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        prepared = list(ready(asks, has_names=self._config.has_names))
        found: list[list[Hit]] = [[] for _ in asks]
        if prepared:
            requests = [_request(ask, vector, self._config.tenant(ask.by)) for _, ask, vector in prepared]
            with _typed():
                answers = self._engine.query_batch(edge.QueryBatchRequest(requests))
            for (place, _, _), answer in zip(prepared, answers, strict=True):
                found[place] = _hits(answer)
        return found

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

    def compact(self) -> None:
        """The engine keeps deleted points in its log and segments, whatever it is told: the others are copied
        into a new shard, which takes over, and the old one is removed.
        """
        with self._flushing, self._writing:
            old, old_path = self._engine, self._path
            path = old_path.with_name(f"shard-{_number(old_path) + 1}{UNFINISHED}")
            shutil.rmtree(
                path, ignore_errors=True
            )  # of a copy that broke off: it may hold what is deleted now
            self._copy_to(_open(path, self._config))
            self._path = path.rename(path.with_name(path.name.removesuffix(UNFINISHED)))
            self._shard = _open(self._path, self._config)
        time.sleep(LAST_QUERY_SECONDS)  # for queries that are still at the old one
        old.close()
        shutil.rmtree(old_path)

    def _copy_to(self, fresh: edge.EdgeShard) -> None:
        try:
            for records in self._copies():
                with _typed():
                    fresh.update(edge.UpdateOperation.upsert_points(records))
            with _typed():
                fresh.optimize()
                fresh.flush()
        finally:
            fresh.close()

    def _copies(self) -> Iterator[list[edge.Point]]:
        offset: Any = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=True, with_vector=True)
            with _typed():
                records, offset = self._engine.scroll(request)
            yield [edge.Point(id=row.id, vector=row.vector or {}, payload=row.payload) for row in records]
            if offset is None:
                return

    def flush(self) -> None:
        """One flush serves all who asked before it began: it takes as long for one point as for many."""
        with self._writing:
            self._asked += 1
            mine = self._asked
        with self._flushing:
            if self._flushed < mine:
                self._flush()

    def _flush(self) -> None:
        with self._writing, _typed():
            covered = self._asked
            if self._written >= OPTIMIZE_EVERY:
                self._engine.optimize()
                self._written = 0
            shard = self._engine
        with _typed():
            shard.flush()  # without the lock of writers, though this version keeps the interpreter meanwhile
        self._flushed = covered

    def close(self) -> None:
        with self._flushing, self._writing:
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


def _newest(root: Path) -> Path:
    """The shard that took over last; what a crash left of an unfinished copy, or of an old shard, goes."""
    found = sorted((path for path in root.glob("shard*") if not path.name.endswith(UNFINISHED)), key=_number)
    newest = found[-1] if found else root / "shard"
    for path in root.glob("shard*"):
        if path != newest:
            shutil.rmtree(path)
    return newest


def _number(path: Path) -> int:
    return int(path.name.partition("-")[2] or 0)


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


def _open(path: Path, asked_for: IndexConfig) -> edge.EdgeShard:
    sparse = (SPARSE, NAMES) if asked_for.has_names else (SPARSE,)
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=asked_for.dimensions, distance=edge.Distance.Cosine)},
        sparse_vectors={name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) for name in sparse},
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
    return edge.QueryRequest(query=query, filter=allowed, limit=ask.limit, with_payload=SHOWN, params=params)


def _hits(found: Sequence[edge.ScoredPoint]) -> list[Hit]:
    """Most hits of a search are from few documents, whose ids are read once."""
    documents: dict[str, UUID] = {}
    hits = []
    for point in found:
        said = point.payload or {}
        document = documents.get(said[DOCUMENT])
        if document is None:
            document = documents[said[DOCUMENT]] = UUID(said[DOCUMENT])
        pk = point.id  # made anew each time it is asked for
        hits.append(
            Hit(
                pk if isinstance(pk, UUID) else UUID(str(pk)),
                point.score,
                document,
                said.get(START, 0),
                said.get(END, 0),
            )
        )
    return hits


def _filter(where: Where, tenant: str = MATTER) -> edge.Filter:
    return _all_of(where.conditions(tenant))


def _all_of(conditions: list[tuple[str, list[str]]]) -> edge.Filter:
    return edge.Filter(
        must=[edge.FieldCondition(key=key, match=_match(values)) for key, values in conditions]
    )


def _match(values: list[str]) -> edge.MatchValue | edge.MatchAny:
    """The engine goes through a list of one value four to twenty times as slowly as through the value."""
    return edge.MatchValue(values[0]) if len(values) == 1 else edge.MatchAny(any=values)


@contextmanager
def _typed() -> Iterator[None]:
    """The engine raises bare exceptions of its own making; they become ours."""
    try:
        yield
    except IndexUnavailable:
        raise
    except Exception as error:  # the bindings have no exception class of their own
        raise IndexUnavailable(f"The index failed: {error}") from error
