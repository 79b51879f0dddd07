"""The graph is built in a child process: searches go on, and nothing is lost meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest

from knowledge.index import DENSE, Ask, IndexConfig, IndexUnavailable, Point, Where, building, edge
from knowledge.index.edge import EdgeIndex

MATTER = uuid4()
WHERE = Where(frozenset({MATTER}))
WIDTH, MANY = 4_096, 700  # few points, of which the engine makes a graph all the same
WAIT_SECONDS = 60.0


def points(number: int, width: int = 8) -> list[Point]:
    rows = np.random.default_rng(number).normal(size=(number, width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [Point(uuid4(), row, f"word {i}", MATTER, uuid4(), uuid4()) for i, row in enumerate(rows)]


@pytest.fixture
def index(tmp_path) -> Iterator[EdgeIndex]:
    opened = EdgeIndex(IndexConfig(tmp_path, 8))
    yield opened
    opened.close()


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def doing(index: EdgeIndex, work: Callable[[], None]) -> Iterator[list[IndexUnavailable]]:
    """While a child process is at work on a copy of the index; gives how it failed, after the block."""
    failures: list[IndexUnavailable] = []

    def run() -> None:
        try:
            work()
        except IndexUnavailable as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: index._build is not None and index._build._child is not None)
    try:
        yield failures
    finally:
        thread.join(WAIT_SECONDS)


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("shard*"))


@pytest.mark.parametrize("work", ["build", "compact"])
def test_what_is_written_and_deleted_meanwhile_is_so_in_the_new_shard(index, tmp_path, work):
    old = points(50)
    index.upsert(old)
    with doing(index, getattr(index, work)) as failures:
        new = points(30)
        index.upsert(new)
        index.delete_version(old[0].version_id)
        index.delete_points([new[0].id])
        index.flush()
        assert folders(tmp_path)[0] == "shard"
    assert failures == []
    assert "shard" not in folders(tmp_path)
    expected = {point.id for point in (*old[1:], *new[1:])}
    assert set(index.ids(WHERE)) == expected
    index.close()
    again = EdgeIndex(IndexConfig(tmp_path, 8))
    assert set(again.ids(WHERE)) == expected
    again.close()


def test_searches_go_on_while_a_graph_is_built(tmp_path):
    index = EdgeIndex(IndexConfig(tmp_path, WIDTH))
    made = points(MANY, WIDTH)
    for start in range(0, MANY, 100):
        index.upsert(made[start : start + 100])
    gaps, started = [], time.monotonic()
    with doing(index, index.build) as failures:
        while index._build is not None:
            before = time.monotonic()
            [hits] = index.ask([Ask(DENSE, made[7].dense, WHERE, 3)])
            assert hits[0].id == made[7].id
            time.sleep(0.01)
            gaps.append(time.monotonic() - before)
    took = time.monotonic() - started
    assert failures == []
    assert len(gaps) > 20
    assert max(gaps) < took / 2
    assert index._unbuilt == edge._unbuilt(index._shard) == 0
    index.close()


def test_where_building_fails_the_old_shard_serves_on(index, tmp_path):
    index.upsert(points(50))
    with doing(index, index.build) as failures:
        index._build._child.kill()
        index.upsert(points(10))
    [failure] = failures
    assert "status -9" in str(failure)
    assert folders(tmp_path) == ["shard"]
    assert index.count(WHERE) == 60
    index.build()
    assert folders(tmp_path) == ["shard-1"]


@pytest.mark.parametrize("work", ["build", "compact"])
def test_who_writes_more_than_can_be_remembered_waits_for_the_new_shard(index, monkeypatch, work):
    monkeypatch.setattr(building, "MOST_REMEMBERED", 20)
    index.upsert(points(50))
    with doing(index, getattr(index, work)) as failures:
        before = index._shard
        index.upsert(points(30))
        assert index._shard is before
        index.upsert(points(5))
        assert index._shard is not before
    assert failures == []
    assert index.count(WHERE) == 85


def test_what_is_not_in_the_graph_is_counted_after_a_restart_with_names_too(tmp_path):
    config = IndexConfig(tmp_path, WIDTH)
    index = EdgeIndex(config)
    index.upsert([replace(point, names="Quillmarsh Inc") for point in points(40, WIDTH)])
    index.close()
    again = EdgeIndex(config)
    assert again._unbuilt == 40
    again.close()


def test_an_index_that_is_closed_ends_its_child_and_removes_the_copy(index, tmp_path):
    index.upsert(points(50))
    with doing(index, index.build) as failures:
        child = index._build._child
        index.close()
        assert child.poll() is not None
        assert folders(tmp_path) == ["shard"]
    assert len(failures) == 1
    with pytest.raises(IndexUnavailable, match="closed"):
        index.build()


def test_a_graph_is_built_once_much_was_written_since(index, tmp_path, monkeypatch):
    monkeypatch.setattr(edge, "BUILD_BYTES", 10 * 8 * edge.FLOAT_BYTES)
    index.upsert(points(9))
    index.flush()
    assert index._builder is None
    index.upsert(points(91))
    index.flush()
    wait_until(lambda: not index._builder.is_alive())
    assert folders(tmp_path) == ["shard-1"]
    index.upsert(points(10))  # less than a tenth of all
    index.flush()
    assert not index._builder.is_alive()


def test_a_shard_that_was_not_complete_is_removed(index, tmp_path):
    index.upsert(points(5))
    index.close()
    for name in ("shard-1", "shard-2", "shard-3.making"):  # the last as an older version named them
        (tmp_path / name).mkdir()
    for name in ("shard-1.making", "shard-2.making", "shard-4.making"):
        (tmp_path / name).touch()
    again = EdgeIndex(IndexConfig(tmp_path, 8))
    assert again.count(WHERE) == 5
    assert folders(tmp_path) == ["shard"]
    again.close()


BUILDER = """
import sys, threading, time
from pathlib import Path
from uuid import UUID
from knowledge.index import IndexConfig
from knowledge.index.edge import EdgeIndex
from tests import test_index_building as test
test.MATTER = UUID(sys.argv[2])
index = EdgeIndex(IndexConfig(Path(sys.argv[1]), test.WIDTH))
made = test.points(test.MANY, test.WIDTH)
index.upsert(made)
threading.Thread(target=index.build, daemon=True).start()
test.wait_until(lambda: index._build is not None and index._build._child is not None)
index.upsert(test.points(10, test.WIDTH))
index.delete_points([made[0].id])
index.flush()
print(index._build._child.pid, flush=True)
time.sleep(60)
"""


def test_kill_9_amid_building_loses_nothing_and_leaves_nothing_behind(tmp_path):
    matter = uuid4()
    command = [sys.executable, "-c", BUILDER, str(tmp_path), str(matter)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        child = int(owner.stdout.readline())
        assert has_ended(child) is False
        os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: has_ended(child))
    again = EdgeIndex(IndexConfig(tmp_path, WIDTH))
    assert again.count(Where(frozenset({matter}))) == MANY + 9
    assert folders(tmp_path) == ["shard"]
    again.close()


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
