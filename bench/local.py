"""Our index against qdrant-client's local mode (`QdrantClient(path=…)`) on the same points, in turns."""

import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from bench.figure import Figure
from knowledge.index import DENSE, Ask, IndexConfig, Point, Where
from knowledge.index.edge import EdgeIndex

POINTS = int(os.environ.get("PINCITE_BENCH_LOCAL", "100000"))
WIDTH, MATTERS, BATCH, QUERIES = 384, 20, 1_000, 20
NAME = f"{POINTS:,} × {WIDTH}"


def measure() -> list[Figure]:
    warnings.simplefilter("ignore")  # local mode warns that it is slow
    random = np.random.default_rng(3)
    vectors = _vectors(random, POINTS)
    matters = [uuid4() for _ in range(MATTERS)]
    points = [
        Point(uuid4(), vector, "", matters[place % MATTERS], uuid4(), uuid4())
        for place, vector in enumerate(vectors)
    ]
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory:
        ours = EdgeIndex(IndexConfig(Path(directory) / "ours", WIDTH))
        local = QdrantClient(path=f"{directory}/local")
        local.create_collection("c", models.VectorParams(size=WIDTH, distance=models.Distance.COSINE))
        try:
            return [*_writing(ours, local, points), *_asking(ours, local, points, vectors, matters)]
        finally:
            ours.close()
            local.close()


def _writing(ours: EdgeIndex, local: QdrantClient, points: list[Point]) -> list[Figure]:
    """Both get the same batches in turns; the graph that ours builds in the end counts too."""
    mine, theirs = 0.0, 0.0
    for start in range(0, len(points), BATCH):
        batch = points[start : start + BATCH]
        mine += _seconds(lambda batch=batch: ours.upsert(batch))
        rows = [models.PointStruct(id=str(p.id), vector=p.dense.tolist(), payload=p.payload()) for p in batch]
        theirs += _seconds(lambda rows=rows: local.upsert("c", rows))
    building = _seconds(ours.build)
    return [
        Figure(
            f"index: {NAME} written, against local mode",
            len(points) / mine,
            "points/s",
            ">= 4",
            len(points) / theirs,
            theirs / mine,
        ),
        Figure(f"index: {NAME}, graph built", building, "s"),
    ]


def _asking(
    ours: EdgeIndex,
    local: QdrantClient,
    points: list[Point],
    vectors: NDArray[np.float32],
    matters: list[UUID],
) -> list[Figure]:
    everywhere, one = Where(frozenset(matters)), Where(frozenset(matters[:1]))
    random = np.random.default_rng(4)
    queries = _vectors(random, QUERIES)
    ids = [point.id for point in points]
    found = [{hit.id for hit in ours.ask([Ask(DENSE, query, everywhere, 10)])[0]} for query in queries]
    exact = [{ids[place] for place in np.argsort(-(vectors @ query))[:10]} for query in queries]
    recall = statistics.mean(len(a & b) / 10 for a, b in zip(found, exact, strict=True))
    field = models.FieldCondition(key="matter_id", match=models.MatchAny(any=[str(matters[0])]))
    narrow = models.Filter(must=[field])
    return [
        _compared("unfiltered", ">= 150", lambda q: ours.ask([Ask(DENSE, q, everywhere, 10)]),
                  lambda q: local.query_points("c", q.tolist(), limit=10), queries),
        _compared("filtered", ">= 1000", lambda q: ours.ask([Ask(DENSE, q, one, 10)]),
                  lambda q: local.query_points("c", q.tolist(), query_filter=narrow, limit=10), queries[:5]),
        Figure(f"index: {NAME}, recall@10 against exact search", recall, "", ">= 0.99"),
    ]  # fmt: skip


def _compared(
    kind: str,
    goal: str,
    ours: Callable[[NDArray[np.float32]], object],
    local: Callable[[NDArray[np.float32]], object],
    queries: NDArray[np.float32],
) -> Figure:
    """Medians, measured in turns."""
    mine, theirs = [], []
    for query in queries:
        mine.append(_seconds(lambda query=query: ours(query)))
        theirs.append(_seconds(lambda query=query: local(query)))
    a, b = 1000 * statistics.median(mine), 1000 * statistics.median(theirs)
    return Figure(f"index: {NAME}, {kind} query, against local mode", a, "ms", goal, b, b / a)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _vectors(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Near one of 50 centres, as passages of real documents are; of length 1."""
    centres = np.random.default_rng(1).normal(size=(50, WIDTH))
    rows = centres[random.integers(len(centres), size=count)] + random.normal(size=(count, WIDTH)) * 0.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
