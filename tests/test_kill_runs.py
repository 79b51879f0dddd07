"""`kill -9` in the middle of a question to every document: it goes on, and every document gets one verdict.

PINCITE_TEST_RUN_KILLS times (1; `make soak` takes 8), each after some more verdicts.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from bench.serving import environment, manage, serving
from tests.test_kill import asked

KILLS = int(os.environ.get("PINCITE_TEST_RUN_KILLS", "1"))
FILES = 10 * (KILLS + 1)
BETWEEN = 4  # verdicts, until the next kill
SECONDS = 240  # a small machine does other things meanwhile
QUESTION = "Which agreements contain an arbitration clause?"
CLAUSE = "{n}.{k} Any dispute about lot {n}{k} shall be finally settled by binding arbitration in Geneva.\n"


def text_of(number: int) -> str:
    """Every other one with clauses, so many that a verdict takes a moment."""
    clauses = "".join(CLAUSE.format(n=number, k=k) for k in range(40))
    return clauses if number % 2 else f"The tenant of lot {number} pays the rent in advance.\n"


@pytest.fixture
def surroundings(tmp_path) -> dict[str, str]:
    """A data directory with a matter of documents that can be searched."""
    made = environment(tmp_path / "data")
    files = tmp_path / "files"
    files.mkdir()
    for number in range(FILES):
        (files / f"{number:03}.txt").write_text(text_of(number))
    manage({**made, "PINCITE_ADMIN_PASSWORD": "correct horse battery"}, "setup")
    script = "from django.contrib.auth.models import User; from knowledge import matters; "
    script += "matters.create('Lots', User.objects.get())"
    manage(made, "shell", "--no-imports", "-c", script)
    manage(made, "ingest", "Lots", str(files))
    return made


def begin(surroundings: dict[str, str]) -> None:
    script = "from knowledge import access, runs; from knowledge.models import Matter, Run; "
    script += "matter = Matter.objects.get(); person = matter.members.get(); "
    script += "scope = access.scope_for(person, matter); "
    script += f"runs.begin(scope, matter, person, Run.Kind.EVERY, {QUESTION!r})"
    manage(surroundings, "shell", "--no-imports", "-c", script)


def reached(surroundings: dict[str, str]) -> int:
    return int(asked(surroundings, "SELECT count(*) FROM knowledge_verdict WHERE value != ''")[0][0])


def state(surroundings: dict[str, str]) -> str:
    return str(asked(surroundings, "SELECT state FROM knowledge_run")[0][0])


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def kill_after(surroundings: dict[str, str], verdicts: int) -> None:
    with suppress(psutil.NoSuchProcess), serving(surroundings, make_token=False) as service:
        wait(lambda: reached(surroundings) >= verdicts)
        service.process.kill()


def test_a_run_whose_service_is_killed_ends_with_one_verdict_on_every_document(surroundings):
    begin(surroundings)
    for _ in range(KILLS):
        before = reached(surroundings)
        kill_after(surroundings, before + BETWEEN)
        assert before < reached(surroundings) < FILES, "it was not killed in the middle"
        assert state(surroundings) == "processing"
    kept = dict(asked(surroundings, "SELECT document_id, seconds FROM knowledge_verdict WHERE value != ''"))
    with serving(surroundings, make_token=False):
        wait(lambda: state(surroundings) == "done")
    check(surroundings, kept)


def check(surroundings: dict[str, str], kept: dict[str, float]) -> None:
    """Each document has its verdict once, its quotes once, and what had been reached was not done again."""
    query = (
        "SELECT d.path, v.value, v.document_id, v.seconds, count(f.id), count(DISTINCT f.start) FROM"
        " knowledge_verdict v JOIN knowledge_document d ON v.document_id = d.id"
        " LEFT JOIN knowledge_finding f ON f.verdict_id = v.id GROUP BY v.id ORDER BY d.path"
    )
    rows = asked(surroundings, query)
    assert [row[0] for row in rows] == [f"{number:03}.txt" for number in range(FILES)]
    assert [row[1] for row in rows] == ["yes" if number % 2 else "no" for number in range(FILES)]
    assert all(quotes == places and (quotes > 0) == (value == "yes") for _, value, *_, quotes, places in rows)
    assert {document: seconds for _, _, document, seconds, *_ in rows if document in kept} == kept
    assert asked(surroundings, "SELECT DISTINCT state FROM knowledge_job") == [("done",)]
