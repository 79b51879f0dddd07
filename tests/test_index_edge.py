"""What only the embedded index promises: it keeps its data, has one owner, and takes many threads."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from knowledge.index import DENSE, SPARSE, Ask, IndexConfig, IndexUnavailable, Point, Where, places
from knowledge.index.edge import EdgeIndex

MATTER = uuid4()
WHERE = Where(frozenset({MATTER}))

WRITER = """
import sys, time, numpy as np
from pathlib import Path
from uuid import UUID, uuid4
from knowledge.index import IndexConfig, Point
from knowledge.index.edge import EdgeIndex
index = EdgeIndex(IndexConfig(Path(sys.argv[1]), 8))
matter = UUID(sys.argv[2])
rows = np.eye(8, dtype=np.float32)
index.upsert([Point(uuid4(), rows[i % 8], "word", matter, uuid4(), uuid4()) for i in range(50)])
if sys.argv[3] == "flush":
    index.flush()
print("written", flush=True)
time.sleep(60)
"""


def points(number: int) -> list[Point]:
    rows = np.eye(8, dtype=np.float32)
    return [Point(uuid4(), rows[i % 8], f"word {i}", MATTER, uuid4(), uuid4()) for i in range(number)]


def test_points_are_there_after_reopening(tmp_path):
    config = IndexConfig(tmp_path, 8)
    index = EdgeIndex(config)
    index.upsert(points(10))
    index.close()
    again = EdgeIndex(config)
    assert again.count(WHERE) == 10
    again.close()


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("most", [places.MOST, 4])
def test_where_points_stand_is_known_after_reopening_and_after_forgetting(
    tmp_path, monkeypatch, is_warm, most
):
    monkeypatch.setattr(places, "MOST", most)
    config, vector = IndexConfig(tmp_path, 8), np.eye(8, dtype=np.float32)[0]
    written = [replace(point, start=7, end=70 + i) for i, point in enumerate(points(10))]
    stand = {point.id: (point.document_id, 7, point.end) for point in written}
    index = EdgeIndex(config)
    index.upsert(written)
    index.close()
    again = EdgeIndex(config)
    if is_warm:
        again.warm()
    for _ in range(2):
        [hits] = again.ask([Ask(DENSE, vector, WHERE, 10)])
        assert {hit.id: (hit.document_id, hit.start, hit.end) for hit in hits} == stand
    again.delete_points([written[0].id])
    again.upsert([replace(written[1], end=500)])
    [hits] = again.ask([Ask(DENSE, vector, WHERE, 10)])
    assert {hit.id: hit.end for hit in hits} == {each.id: each.end for each in written[2:]} | {
        written[1].id: 500
    }
    again.close()


@pytest.mark.parametrize("mode", ["flush", "no flush"])
def test_acknowledged_points_survive_kill_9(tmp_path, mode):
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(MATTER), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "written\n"
        os.kill(writer.pid, signal.SIGKILL)
    again = EdgeIndex(IndexConfig(tmp_path, 8))
    assert again.count(WHERE) == 50
    again.close()


def test_a_second_owner_is_told_why_not(tmp_path):
    index = EdgeIndex(IndexConfig(tmp_path, 8))
    with pytest.raises(IndexUnavailable, match="takes one at a time"):
        EdgeIndex(IndexConfig(tmp_path, 8))
    index.close()
    EdgeIndex(IndexConfig(tmp_path, 8)).close()


def test_threads_write_and_read_at_once(tmp_path):
    index = EdgeIndex(IndexConfig(tmp_path, 8))

    def work(number: int) -> int:
        index.upsert(points(20))
        return len(index.ask([Ask(DENSE, np.eye(8, dtype=np.float32)[number % 8], WHERE, 5)])[0])

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(40)))
    assert index.count(WHERE) == 800
    assert all(results)
    index.close()


def test_a_closed_index_says_so_but_an_empty_scope_asks_nothing_of_it(tmp_path):
    index = EdgeIndex(IndexConfig(tmp_path, 8))
    index.close()
    index.close()
    assert index.ask([Ask(SPARSE, "word", Where(frozenset()), 5)]) == [[]]
    with pytest.raises(IndexUnavailable):
        index.ask([Ask(SPARSE, "word", WHERE, 5)])


def test_every_flush_that_was_asked_for_is_covered(tmp_path):
    """Those who ask while one runs share the next."""
    config = IndexConfig(tmp_path, 8)
    index = EdgeIndex(config)

    def write() -> None:
        for _ in range(5):
            index.upsert(points(1))
            index.flush()

    with ThreadPoolExecutor(4) as pool:
        for written in [pool.submit(write) for _ in range(4)]:
            written.result()
    assert index._flushed == index._asked == 20
    index.close()
    again = EdgeIndex(config)
    assert len(list(again.points())) == 20
    again.close()
