"""A generator that fails, hangs or is not wanted any more never holds up a run that asks it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from starlette.responses import JSONResponse, StreamingResponse

from inference.errors import Cancelled
from ingestion import pipeline, places
from knowledge import exhaustive, jobs, matters, opinions, runs, selection
from knowledge.models import Finding, Job, Passage, Run
from tests.inference.conftest import serving, wait_for
from tests.inference.test_remote import END, Silent, closed_port, events, piece, replying
from tests.test_generations import work_off
from tests.test_opinions import (  # noqa: F401 - two fixtures
    COST,
    DELAY,
    LETTER,
    WAIT,
    add,
    done,
    judge,
    letter,
    people,
    quotes,
)
from tests.test_runs import begun, said

pytestmark = pytest.mark.django_db(transaction=True)


def at_last(run: Run) -> Run:
    """The run when it has come back as often as it does, without the pauses."""
    for _ in range(exhaustive.MOST_WAITS + 1):
        Job.objects.filter(run=run).update(due_at=timezone.now())
        work_off()
    run.refresh_from_db()
    assert run.state == Run.State.DONE, run.note
    return run


def test_a_run_comes_back_to_a_generator_that_is_busy(people, judge):  # noqa: F811
    run = begun(people, DELAY)
    with replying(JSONResponse({}, 503, {"Retry-After": "300"})) as url:
        judge(url)
        work_off()
    job = Job.objects.get(run=run)
    assert job.due_at - timezone.now() > timedelta(seconds=200)
    assert list(run.verdicts.values_list("value", "tries", "waits")) == [("no", 1, 0), ("", 0, 1)]
    Job.objects.filter(run=run).update(due_at=timezone.now())
    with replying(events(piece("No."), END)) as url:
        judge(url)
        work_off()
    assert said(run) == {"lease.txt": "no", "letter.txt": "no"}


def test_a_generator_that_is_down_is_found_out_once_and_not_with_every_document(people, judge):  # noqa: F811
    add(people.matter, people.owner, "other.txt", LETTER.replace("nine", "ten"))
    asked: list[str] = []

    def busy() -> JSONResponse:
        asked.append("")
        return JSONResponse({}, 503)

    with replying(busy) as url:
        judge(url)
        run = at_last(begun(people, DELAY))
    assert len(asked) == exhaustive.MOST_WAITS + 1
    notes = run.verdicts.filter(value="undecided").values_list("note", flat=True)
    assert sorted(note[:24] for note in notes) == ["The generator was asked ", "The generator was not as"]


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
        verdict = letter(at_last(begun(people, DELAY)))
    assert (verdict.value, verdict.model) == ("undecided", "")
    assert verdict.note.startswith("The generator was asked and did not answer: ")
    assert quotes(verdict) == [COST]


def test_how_long_it_took_to_fail_is_not_what_an_answer_is_expected_to_take(people, judge):  # noqa: F811
    with replying(events(piece("No."), END)) as url:
        judge(url)
        done(people)
    expected = selection.measured().seconds_each
    assert expected is not None
    with replying(events("data: nonsense\n\n")) as url:
        judge(url)
        run = done(people)
    run.verdicts.filter(document__path="letter.txt").update(seconds=120, generator_seconds=120)
    assert selection.measured().seconds_each == expected
    assert selection.measured().per_passage < 60


def test_so_does_one_that_is_down_and_one_that_is_too_slow(people, judge, settings):  # noqa: F811
    judge(closed_port())
    assert "did not answer" in letter(at_last(begun(people, DELAY))).note
    settings.ANSWER_SECONDS = 0.3
    with serving(Silent()) as url:
        judge(url)
        assert "longer than 0.3 seconds" in letter(at_last(begun(people, DELAY))).note


def test_documents_that_take_too_long_mute_no_healthy_generator(people, judge, settings):  # noqa: F811
    """Each has its own tries, in turns that go on behind one another."""
    for name in ("one.txt", "two.txt", "three.txt"):
        add(people.matter, people.owner, name, LETTER.replace("nine", name))
    settings.ANSWER_SECONDS = 0.5
    asked: list[str] = []

    async def slowly() -> AsyncIterator[str]:
        asked.append("")
        yield piece("Yes: ")
        await asyncio.sleep(2)

    with replying(lambda: StreamingResponse(slowly(), media_type="text/event-stream")) as url:
        judge(url)
        run = begun(people, DELAY)
        work_off()
    run.refresh_from_db()
    assert run.state == Run.State.DONE, run.note
    notes = list(run.verdicts.filter(value="undecided").values_list("note", flat=True))
    assert len(notes) == 4
    assert all("longer than 0.5 seconds" in note for note in notes)
    assert len(asked) == 4 * (exhaustive.MOST_WAITS + 1)


def test_an_index_that_is_being_rebuilt_is_no_failed_try(people, judge):  # noqa: F811
    run = begun(people, DELAY)
    lost = Passage.objects.filter(version__document__path="letter.txt")
    vectors = dict(lost.values_list("pk", "vector"))
    lost.update(vector=None)
    judge(closed_port())
    work_off()
    assert run.verdicts.get(document__path="letter.txt").tries == 0
    for pk, vector in vectors.items():
        Passage.objects.filter(pk=pk).update(vector=vector)


@contextmanager
def thinking(judge) -> Iterator[None]:  # noqa: F811
    """The run at work, and the generator at its document; at the end the worker has left both."""
    silent = Silent()
    with serving(silent) as url:
        judge(url)
        lease = jobs.claim_next()

        def work() -> None:
            try:
                with places.held():
                    pipeline.work(lease)
            finally:
                connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        wait_for(silent.asked.is_set, 60)
        yield
        worker.join(30)
        assert not worker.is_alive()
        wait_for(silent.left.is_set)


def test_a_run_that_is_stopped_while_the_generator_thinks_is_left_at_once(people, judge, monkeypatch):  # noqa: F811
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.1)
    run = begun(people, DELAY)
    with thinking(judge):
        runs.cancel(run, people.owner)
    assert said(run) == {"lease.txt": "no", "letter.txt": ""}


def test_while_the_generator_thinks_others_are_worked_on(people, judge, settings):  # noqa: F811
    run = begun(people, DELAY)
    with thinking(judge):
        taken = [places._places.acquire(timeout=20) for _ in range(settings.WORKERS)]
        for _ in filter(None, taken):
            places._places.release()
        matters.remove_member(people.matter, people.reader)  # which ends it
    assert taken == [True] * settings.WORKERS
    assert letter(run).value == ""


def test_a_run_may_be_paused_as_often_as_one_likes_while_the_generator_thinks(people, judge, monkeypatch):  # noqa: F811
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.1)
    run = begun(people, DELAY)
    for _ in range(exhaustive.MOST_TRIES + 1):
        with thinking(judge):
            runs.pause(run)
        runs.resume(run)
    with replying(events(piece(f"Yes: {WAIT} [2]"), END)) as url:
        judge(url)
        work_off()
    assert (letter(run).value, quotes(letter(run))) == ("yes", [WAIT])


def test_a_document_on_which_the_generator_ends_the_work_is_left_to_its_sentences(people, judge):  # noqa: F811
    run = begun(people, DELAY)
    run.verdicts.update(tries=exhaustive.MOST_TRIES)
    with replying(events(piece("No."), END)) as url:
        judge(url)
        work_off()
    assert said(run) == {"lease.txt": "no", "letter.txt": "undecided"}
    assert (letter(run).note, quotes(letter(run))) == (exhaustive.NOT_AGAIN, [COST])


def test_one_that_ends_it_without_the_generator_too_is_left_to_a_person(people):  # noqa: F811
    run = begun(people, DELAY)
    run.verdicts.update(tries=2 * exhaustive.MOST_TRIES)
    work_off()
    assert set(run.verdicts.values_list("value", "note")) == {("undecided", exhaustive.POISON)}


def test_a_job_that_is_lost_just_before_the_generator_is_asked_is_left(people):  # noqa: F811
    """The run is stopped while the sentences are judged: not even the row of the job is ours then."""
    run = begun(people, DELAY)
    passages = exhaustive.passages(letter(run).document)
    embedder = exhaustive.generations.embedder(exhaustive.generations.current())
    question = exhaustive.verdicts.analysed(embedder, DELAY)
    lease = jobs.claim_next()
    runs.cancel(run, people.owner)
    with pytest.raises(jobs.LeaseLost):
        exhaustive._asked(exhaustive._Turn(lease, question, 0.0), letter(run), [], passages)


def test_a_run_ends_while_the_generator_thinks_when_who_asked_is_taken_out_of_the_matter(people, judge):  # noqa: F811
    run = begun(people, DELAY)
    with thinking(judge):
        matters.remove_member(people.matter, people.reader)
    run.refresh_from_db()
    assert (run.state, run.note, letter(run).value) == (Run.State.CANCELLED, exhaustive.LEFT, "")


def test_nothing_is_stored_of_what_came_after_they_were_switched_off(people, judge):  # noqa: F811
    run = begun(people, DELAY)

    def lines() -> Iterator[str]:
        people.reader.is_active = False
        people.reader.save()
        connection.close()
        yield from (piece(f"Yes: {WAIT} [2]"), END)

    with replying(lambda: StreamingResponse(lines(), media_type="text/event-stream")) as url:
        judge(url)
        work_off()
    run.refresh_from_db()
    assert (run.state, run.note) == (Run.State.CANCELLED, exhaustive.LEFT)
    assert (letter(run).value, Finding.objects.count()) == ("", 0)


def test_a_document_that_is_deleted_while_it_is_read_leaves_nothing(people, judge):  # noqa: F811
    run = begun(people, DELAY)

    def lines() -> Iterator[str]:
        people.matter.documents.get(path="letter.txt").delete()
        connection.close()
        yield from (piece(f"Yes: {WAIT} [2]"), END)

    with replying(lambda: StreamingResponse(lines(), media_type="text/event-stream")) as url:
        judge(url)
        work_off()
    run.refresh_from_db()
    assert (run.state, said(run)) == (Run.State.DONE, {"lease.txt": "no"})
    assert (run.model, Finding.objects.count()) == ("", 0)


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
