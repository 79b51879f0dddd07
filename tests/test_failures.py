"""Parts that are down: a clear message on every surface, nothing lost, and it goes on when they are back."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from inference.errors import ModelMissing
from ingestion import pipeline
from knowledge import access, answers, documents, engines, jobs, queue, writing
from knowledge.models import Answer, Job, Version
from tests.conftest import make_people

MISSING = Path("/nonexistent/model")


@pytest.fixture
def fresh_engines(settings):
    """Engines of this test alone, opened from its own settings."""
    engines.forget()
    yield settings
    engines.forget()


def ready_answer(people) -> Answer:
    """A question with evidence, in a matter with one small document, made without a queue."""
    added = documents.add(people.matter, "a.txt", [b"The rent is due on the first of May."], people.owner)
    pipeline.run(added.version.job.pk)
    scope = access.scope_for(people.owner, people.matter)
    return answers.ask(scope, people.matter, people.owner, "When is the rent due?")


def test_with_the_broker_down_a_file_is_kept_and_waits(people, settings):
    client = Client(headers=people.token(people.owner))
    assert not queue.is_reachable()  # nothing runs in this test
    file = SimpleUploadedFile("a.txt", b"text")
    response = client.post(f"/api/v1/matters/{people.matter.pk}/documents", {"file": file})
    assert response.status_code == 202
    assert response.json()["document"]["state"] == "waiting"
    assert jobs.claimable().count() == 1  # the dispatcher will find it
    assert Client().get("/health/").json()["broker"] is False


@pytest.mark.django_db(transaction=True)
def test_with_the_index_down_search_says_so_everywhere_and_jobs_come_back_later(fresh_engines):
    people = make_people()
    fresh_engines.INDEX = replace(fresh_engines.INDEX, url="http://127.0.0.1:9")
    api = Client(headers=people.token(people.owner))
    page = Client()
    page.force_login(people.owner)
    response = api.get(f"/api/v1/matters/{people.matter.pk}/search", {"q": "rent"})
    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert "Qdrant" in response.json()["detail"]
    shown = page.get(f"/matters/{people.matter.pk}/search/", {"q": "rent"})
    assert shown.status_code == 503
    assert "Qdrant" in shown.content.decode()
    job = documents.add(people.matter, "a.txt", [b"The rent is due."], people.owner).version.job
    pipeline.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.DUE, 1)
    assert "Qdrant" in job.reason
    assert job.version.state == Version.State.WAITING


@pytest.mark.django_db(transaction=True)
def test_without_its_generator_an_answer_still_has_its_quotes(fresh_engines):
    people = make_people()
    fresh_engines.GENERATOR = replace(fresh_engines.GENERATOR, model=str(MISSING))
    answer = ready_answer(people)
    assert "first of May" in answer.citations.get().quote
    [problem] = writing.write(answer.pk, lambda: False)
    assert problem.kind == "problem"
    assert str(MISSING) in problem.data["reason"]
    answer.refresh_from_db()
    assert answer.state == Answer.State.FAILED
    assert answer.sentences == []


@pytest.mark.django_db(transaction=True)
def test_over_rest_an_answer_that_cannot_be_written_is_a_problem_that_names_where_its_quotes_are(
    fresh_engines,
):
    people = make_people()
    ready_answer(people)
    fresh_engines.GENERATOR = replace(fresh_engines.GENERATOR, model=str(MISSING))
    engines.forget()
    api = Client(headers=people.token(people.owner))
    path = f"/api/v1/matters/{people.matter.pk}/ask"
    response = api.post(path, {"question": "When is the rent due?"}, content_type="application/json")
    assert response.status_code == 503
    stored = api.get(response.json()["answer_url"]).json()
    assert "first of May" in stored["citations"][0]["quote"]


@pytest.mark.django_db(transaction=True)
def test_an_answer_whose_documents_were_deleted_is_not_invented():
    people = make_people()
    answer = ready_answer(people)
    documents.delete(people.matter.documents.get())
    assert [event.kind for event in writing.write(answer.pk, lambda: False)] == ["done"]
    answer.refresh_from_db()
    assert (answer.state, answer.sentences) == (Answer.State.NOTHING, [])
    assert "deleted" in answer.reason


@pytest.mark.django_db(transaction=True)
def test_a_failed_answer_can_be_written_when_the_generator_is_back(fresh_engines):
    people = make_people()
    good = fresh_engines.GENERATOR
    fresh_engines.GENERATOR = replace(good, model=str(MISSING))
    answer = ready_answer(people)
    list(writing.write(answer.pk, lambda: False))
    fresh_engines.GENERATOR = good
    engines.forget()
    assert list(writing.write(answer.pk, lambda: False))[-1].kind == "done"


@pytest.mark.django_db(transaction=True)
def test_a_reader_who_goes_away_leaves_the_answer_to_be_written_again(fresh_engines):
    people = make_people()
    answer = ready_answer(people)
    stream = writing.write(answer.pk, lambda: False)
    assert next(stream).kind == "text"
    assert [event.kind for event in writing.write(answer.pk, lambda: False)] == ["busy"]
    stream.close()
    answer.refresh_from_db()
    assert (answer.state, answer.sentences) == (Answer.State.READY, [])
    cancelled = list(writing.write(answer.pk, lambda: True))
    assert [event.kind for event in cancelled if event.kind != "text"] == []
    answer.refresh_from_db()
    assert answer.state == Answer.State.READY


def test_a_missing_embedder_is_named(people, fresh_engines):
    fresh_engines.EMBEDDER = replace(fresh_engines.EMBEDDER, model=str(MISSING))
    with pytest.raises(ModelMissing, match=str(MISSING)):
        engines.embedder()
    api = Client(headers=people.token(people.owner))
    body = json.dumps({"question": "When is the rent due?"})
    response = api.post(f"/api/v1/matters/{people.matter.pk}/ask", body, content_type="application/json")
    assert response.status_code == 503
    assert str(MISSING) not in response.json()["title"]


def test_a_setting_that_is_nonsense_stops_the_start_with_its_name(tmp_path):
    command = [sys.executable, "manage.py", "check"]
    environment = {"PATH": "/usr/bin:/bin", "PINCITE_DATA_DIR": str(tmp_path), "PINCITE_WORKERS": "many"}
    done = subprocess.run(
        command,
        cwd=Path(__file__).parent.parent,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "PINCITE_WORKERS='many': expected a whole number." in done.stderr
