"""A generator that fails, hangs or is not wanted any more never holds up a run that asks it."""

import threading

import pytest
from django.db import connection
from starlette.responses import JSONResponse

from inference.errors import Cancelled
from ingestion import pipeline
from knowledge import exhaustive, jobs, opinions, runs
from tests.inference.conftest import serving, wait_for
from tests.inference.test_remote import Silent, closed_port, events, piece, replying
from tests.test_opinions import COST, DELAY, done, judge, letter, people, quotes  # noqa: F401 - two fixtures
from tests.test_runs import begun, said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "reply",
    [
        events("data: nonsense\n\n"),
        events(piece("Yes: The crane")),  # and then the line breaks off
        lambda: JSONResponse({"error": {"message": "CUDA out of memory"}}, 500),
        lambda: JSONResponse({"error": {"message": "Too many requests"}}, 429),
    ],
)
def test_a_generator_that_fails_leaves_the_document_open_and_the_run_goes_on(people, judge, reply):  # noqa: F811
    with replying(reply) as url:
        judge(url)
        verdict = letter(done(people))
    assert (verdict.value, verdict.model) == ("undecided", "")
    assert verdict.note.startswith("The generator was asked and did not answer: ")
    assert quotes(verdict) == [COST]


def test_so_does_one_that_is_down_and_one_that_is_too_slow(people, judge, settings):  # noqa: F811
    judge(closed_port())
    assert "did not answer" in letter(done(people)).note
    settings.ANSWER_SECONDS = 0.3
    with serving(Silent()) as url:
        judge(url)
        assert "longer than 0.3 seconds" in letter(done(people)).note


def test_a_run_that_is_stopped_while_the_generator_thinks_is_left_at_once(people, judge, monkeypatch):  # noqa: F811
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.1)
    silent = Silent()
    with serving(silent) as url:
        judge(url)
        run = begun(people, DELAY)
        lease = jobs.claim_next()

        def work() -> None:
            try:
                pipeline.work(lease)
            finally:
                connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        wait_for(silent.asked.is_set, 60)
        runs.cancel(run, people.owner)
        worker.join(30)
        assert not worker.is_alive()
        wait_for(silent.left.is_set)
    assert said(run) == {"lease.txt": "no", "letter.txt": ""}


def test_no_connection_is_held_while_the_generator_thinks(people, judge):  # noqa: F811
    version = people.matter.documents.get(path="letter.txt").current
    passages = exhaustive.passages(version.document)
    held: list[bool] = []

    def look() -> bool:
        held.append(connection.connection is not None)
        return len(held) > 3

    with serving(Silent()) as url:
        judge(url)
        with pytest.raises(Cancelled):
            opinions.ask(version, DELAY, [], passages, look)
    assert held
    assert not any(held)
