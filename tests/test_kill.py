"""`kill -9` at random moments of a running service: nothing lost, nothing twice, nothing stuck.

At PINCITE_TEST_KILLS moments (10; `make soak` takes 50) while 200 files are ingested. Every third time
parsers are killed first; every third time passages are just being written to the index. The index then shows
whether their commit was still to come; kills go on until one was there.
"""

import os
import random
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid5

import psutil
import pytest
from django.conf import settings

from bench.serving import environment, manage, serving
from ingestion import chunks
from ingestion.children import NURSERY
from ingestion.parse.parsed import Page
from knowledge.index import open_index

KILLS = int(os.environ.get("PINCITE_TEST_KILLS", "10"))
FILES = 200
MORE = 10  # kills at most, until one came between a write to the index and its commit
SETTLED_SECONDS = 120
LATEST_SECONDS = 5.0
STARTED_SECONDS = 60  # until the first passages are written: a small machine loads the model first
CLAUSE = "{n}.{k} The carrier of lot {n} answers for delay {k} up to EUR {n}{k}00, unless agreed otherwise.\n"


def text_of(number: int) -> str:
    return "".join(CLAUSE.format(n=number, k=clause) for clause in range(1, 12))


@pytest.fixture
def surroundings(tmp_path) -> dict[str, str]:
    """A data directory with a matter whose 200 files wait to be ingested."""
    made = environment(tmp_path / "data")
    (tmp_path / "files").mkdir()
    for number in range(FILES):
        (tmp_path / "files" / f"{number:03}.txt").write_text(text_of(number))
    manage({**made, "PINCITE_ADMIN_PASSWORD": "correct horse battery"}, "setup")
    script = "from django.contrib.auth.models import User; from knowledge import matters; "
    script += "matters.create('Lots', User.objects.get())"
    manage(made, "shell", "--no-imports", "-c", script)
    manage(made, "ingest", "Lots", str(tmp_path / "files"), "--no-wait")
    return made


def asked(surroundings: dict[str, str], query: str) -> list[tuple]:
    database = Path(surroundings["PINCITE_DATA_DIR"]) / "pincite.sqlite3"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(query).fetchall()


def settled(surroundings: dict[str, str]) -> int:
    query = "SELECT count(*) FROM knowledge_version WHERE state NOT IN ('waiting', 'processing')"
    return asked(surroundings, query)[0][0]


def run_until_killed(surroundings: dict[str, str], turn: int, chance: random.Random) -> None:
    with suppress(psutil.NoSuchProcess), serving(surroundings, make_token=False) as service:
        if is_aimed(turn):
            wait_for_index_write(surroundings)
            time.sleep(chance.uniform(0.0, 0.03))
        else:
            time.sleep(chance.uniform(0.0, LATEST_SECONDS))
        if turn % 3 == 1:
            kill_parsers(service.process)
        service.process.kill()


def is_aimed(turn: int) -> bool:
    return turn % 3 == 2 or turn >= KILLS


def wait_for_index_write(surroundings: dict[str, str]) -> None:
    """Until a document's passages are about to go into the index, or there is nothing left to do."""
    deadline = time.monotonic() + STARTED_SECONDS
    while not is_indexing(surroundings) and settled(surroundings) < FILES:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def is_indexing(surroundings: dict[str, str]) -> bool:
    query = "SELECT count(*) FROM knowledge_job WHERE stage = 'indexing' AND state = 'running'"
    return asked(surroundings, query)[0][0] > 0


def written_alone(surroundings: dict[str, str]) -> set[UUID]:
    """Versions with points in the index that are not in it by the database. The service has ended."""
    path = Path(surroundings["PINCITE_DATA_DIR"]) / "index" / "1"
    committed = {UUID(row[0]) for row in asked(surroundings, "SELECT version_id FROM knowledge_indexed")}
    index = open_index(replace(settings.INDEX, url="", path=path))
    try:
        return {version for _, version in index.points()} - committed
    finally:
        index.close()


def kill_parsers(service: psutil.Process) -> None:
    """All that there are, with those that watch over them and the interpreter that they are forked from."""
    for child in service.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if NURSERY.name in " ".join(child.cmdline()):
                child.kill()
    time.sleep(0.05)


def expected(number: int) -> set[tuple[int, int, str]]:
    page = Page(1, "1", text_of(number))
    pieces = chunks.split([page], settings.CHUNK_CHARACTERS, settings.CHUNK_OVERLAP)
    return {(piece.start, piece.end, piece.text) for piece in pieces}


def test_a_service_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice(surroundings):
    chance = random.Random(7)  # noqa: S311 - the same moments every time
    uncommitted: set[UUID] = set()
    for turn in range(KILLS + MORE):
        if turn >= KILLS and uncommitted:
            break
        run_until_killed(surroundings, turn, chance)
        if is_aimed(turn):
            uncommitted |= written_alone(surroundings)
    assert uncommitted, "no kill came between a write to the index and its commit"
    with serving(surroundings) as service:
        deadline = time.monotonic() + SETTLED_SECONDS
        while (done := settled(surroundings)) < FILES:
            assert time.monotonic() < deadline, f"{FILES - done} documents are stuck"
            time.sleep(0.5)
        with service.client as client:
            [matter] = client.get("/matters").json()
            assert (matter["documents"], matter["passages"]) == (
                FILES,
                sum(len(expected(n)) for n in range(FILES)),
            )
            found = client.get(f"/matters/{matter['id']}/search", params={"q": "lot 77 delay 3"}).json()
            assert found["results"]
    check(surroundings)
    assert "0 found" in manage(surroundings, "reconcile", "--young", "0")


def check(surroundings: dict[str, str]) -> None:
    """Every document is searchable, with the passages that an undisturbed run makes, each once."""
    states = asked(surroundings, "SELECT DISTINCT state FROM knowledge_version")
    assert states == [("searchable",)]
    rows = asked(
        surroundings,
        'SELECT d.path, v.id, p.id, p.start, p."end", p.text FROM knowledge_passage p'
        " JOIN knowledge_version v ON p.version_id = v.id JOIN knowledge_document d ON v.document_id = d.id",
    )
    for number in range(FILES):
        mine = [row[1:] for row in rows if row[0] == f"{number:03}.txt"]
        assert {row[2:] for row in mine} == expected(number)
        assert len(mine) == len(expected(number))
        for version, passage, start, end, _ in mine:
            assert UUID(passage) == uuid5(UUID(version), f"1:{start}:{end}")
