"""One question to every document: each gets a verdict, whatever happens on the way."""

import csv
import io
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from ingestion import pipeline
from knowledge import access, documents, exhaustive, generations, jobs, matters, runs, selection
from knowledge.models import Document, Finding, Job, Page, Passage, Run, Verdict, Version
from knowledge.sheets import plain
from tests.conftest import make_people
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db

QUESTION = "Which agreements contain an arbitration clause?"
FILES = {
    "crane.txt": "SUPPLY\n\nAny dispute shall be finally settled by binding arbitration in Geneva.\n",
    "lease.txt": "LEASE\n\nThe tenant pays the rent on the first day of each month in advance.\n",
    "note.txt": "NOTE\n\nThe crane was delivered on 4 May 2031 and painted in a bright yellow colour.\n",
}


@pytest.fixture
def people():
    made = make_people()
    for name, text in FILES.items():
        read(made.matter, name, text)
    return made


def read(matter, name: str, text: str) -> Document:
    """A document as ingestion leaves it, of one passage."""
    document = Document.objects.create(matter=matter, path=name)
    version = Version.objects.create(
        document=document,
        number=1,
        sha256="0" * 64,
        size=1,
        characters=len(text),
        state=Version.State.SEARCHABLE,
    )
    Page.objects.create(version=version, number=1, label="1", kind=Page.Kind.TEXT, start=0, text=text)
    generation = generations.current()
    [vector] = generations.embedder(generation).embed_passages([text])
    span = {"start": 0, "end": len(text), "page_first": 1, "page_last": 1}
    kept = vector.astype(np.float16).tobytes()
    Passage.objects.create(
        id=uuid4(), version=version, generation=generation, text=text, vector=kept, key="", **span
    )
    Document.objects.filter(pk=document.pk).update(current=version)
    return document


def begun(people, question: str = QUESTION, document_ids=None, asker=None) -> Run:
    asker = asker or people.reader
    scope = access.scope_for(asker, people.matter, document_ids)
    return runs.begin(scope, people.matter, asker, Run.Kind.EVERY, question)


def said(run: Run) -> dict[str, str]:
    return {verdict.document.path: verdict.value for verdict in run.verdicts.select_related("document")}


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_document_gets_a_verdict_and_a_yes_its_quote_word_for_word(people):
    run = begun(people)
    assert run.estimate["documents"] == 3
    assert run.estimate["seconds"] > 0
    work_off()
    run.refresh_from_db()
    assert run.state == Run.State.DONE
    assert said(run) == {"crane.txt": "yes", "lease.txt": "no", "note.txt": "no"}
    found = Finding.objects.select_related("version").get(verdict__document__path="crane.txt")
    assert found.quote == found.version.text()[found.start : found.end]
    assert "binding arbitration in Geneva." in found.quote
    assert runs.counts(run) == {"yes": 1, "no": 2, "undecided": 0, "waiting": 0}
    assert selection.measured().per_passage is not None


def test_only_the_chosen_documents_are_read_and_never_another_matters(people):
    lease = people.matter.documents.get(path="lease.txt")
    foreign = read(people.foreign, "theirs.txt", FILES["crane.txt"])
    run = begun(people, document_ids=[lease.pk, foreign.pk])
    work_off()
    assert said(run) == {"lease.txt": "no"}


def test_a_document_without_text_is_left_to_a_person(people):
    Version.objects.filter(document__path="lease.txt").update(state=Version.State.FAILED)
    Document.objects.filter(path="lease.txt").update(current=None)
    run = begun(people)
    assert run.estimate["unreadable"] == 1
    work_off()
    verdict = run.verdicts.get(document__path="lease.txt")
    assert (verdict.value, verdict.note) == (Verdict.Value.UNDECIDED, exhaustive.NO_TEXT)


def test_what_was_read_in_part_is_never_a_no(people):
    Version.objects.filter(document__path="lease.txt").update(state=Version.State.PARTIAL)
    run = begun(people)
    work_off()
    assert said(run)["lease.txt"] == Verdict.Value.UNDECIDED


def test_a_worker_that_was_taken_for_dead_writes_nothing_and_another_goes_on(people, monkeypatch):
    run = begun(people)
    first = jobs.claim_next()
    question = exhaustive.verdicts.analysed(
        exhaustive.generations.embedder(exhaustive.generations.current()), QUESTION
    )
    pk = run.verdicts.values_list("pk", flat=True)[0]
    exhaustive._look(exhaustive._Turn(first, question, 0.0), pk)
    Job.objects.filter(pk=first.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    second = jobs.claim_next()
    assert second.job_id == first.job_id
    with pytest.raises(jobs.LeaseLost):
        exhaustive._look(exhaustive._Turn(first, question, 0.0), run.verdicts.values_list("pk", flat=True)[1])
    assert run.verdicts.exclude(value="").count() == 1
    pipeline.work(second)
    assert said(run) == {"crane.txt": "yes", "lease.txt": "no", "note.txt": "no"}
    assert Finding.objects.count() == 1


def test_a_document_on_which_workers_die_is_left_to_a_person(people):
    run = begun(people)
    run.verdicts.filter(document__path="lease.txt").update(tries=exhaustive.MOST_TRIES)
    work_off()
    assert run.verdicts.get(document__path="lease.txt").note == exhaustive.POISON
    assert said(run)["crane.txt"] == "yes"


def test_a_paused_run_waits_and_goes_on_where_it_was(people):
    run = begun(people)
    lease = jobs.claim_next()
    runs.pause(run)
    pipeline.work(lease)  # it finds out at its next step
    assert jobs.claim_next() is None
    assert said(run) == {"crane.txt": "", "lease.txt": "", "note.txt": ""}
    run.refresh_from_db()
    assert run.state == Run.State.PAUSED
    runs.resume(run)
    work_off()
    assert "" not in said(run).values()


def test_a_stopped_run_ends_at_its_next_step_and_says_who_stopped_it(people):
    run = begun(people)
    lease = jobs.claim_next()
    runs.cancel(run, people.owner)
    pipeline.work(lease)
    run.refresh_from_db()
    assert (run.state, run.note) == (Run.State.CANCELLED, "Stopped by owner.")
    assert set(said(run).values()) == {""}


def test_a_run_ends_when_who_asked_is_taken_out_of_the_matter(people):
    run = begun(people)
    matters.remove_member(people.matter, people.reader)
    work_off()
    run.refresh_from_db()
    assert (run.state, run.note) == (Run.State.CANCELLED, exhaustive.LEFT)
    assert set(said(run).values()) == {""}


def test_a_long_run_gives_its_turn_to_other_matters(people, monkeypatch):
    monkeypatch.setattr(exhaustive, "SLICE_SECONDS", 0.0)
    run = begun(people)
    Job.objects.filter(run=run).update(interruptions=jobs.INTERRUPTIONS)
    lease = jobs.claim_next()
    other = documents.add(people.foreign, "theirs.txt", [b"A short letter of theirs."], people.outsider)
    pipeline.work(lease)
    assert jobs.claim_next().subject_id == other.version.pk
    job = Job.objects.get(run=run)
    assert (job.state, job.attempts, job.interruptions) == (Job.State.DUE, 0, 0)


def test_a_person_settles_what_is_undecided_and_the_table_says_so(people):
    Version.objects.filter(document__path="lease.txt").update(state=Version.State.PARTIAL)
    run = begun(people)
    work_off()
    document = people.matter.documents.get(path="lease.txt")
    path = f"/runs/{run.pk}/verdicts/{document.pk}/"
    assert signed_in(people.member).post(path, {"value": "yes", "show": "undecided"}).status_code == 302
    verdict = run.verdicts.get(document=document)
    assert (verdict.settled, verdict.value, verdict.settled_by) == ("yes", "undecided", people.member)
    assert runs.counts(run)["yes"] == 2
    page = signed_in(people.reader).get(f"/runs/{run.pk}/?verdict=yes").content.decode()
    assert "Decided by member" in page
    assert "note.txt" not in page
    text = signed_in(people.reader).get(f"/runs/{run.pk}/table/").content.decode()
    rows = {row["document"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (rows["lease.txt"]["verdict"], rows["lease.txt"]["by"]) == ("yes", "member")
    assert rows["crane.txt"]["quote"].endswith("Geneva.")
    signed_in(people.member).post(path, {"value": ""})
    assert runs.counts(run)["undecided"] == 1


def test_a_worker_that_knows_nothing_of_the_generator_can_still_store_verdicts(people):
    """While a service is replaced, the old version writes into the new tables."""
    run = begun(people)
    row = run.verdicts.values().first()
    old = {**row, "id": row["id"] + 1000}
    for name in ("model", "prompt_tokens", "cached_tokens", "generator_seconds", "waits"):
        del old[name]
    run.verdicts.all().delete()
    old["run_id"], old["document_id"], old["version_id"] = (
        old[name].hex if connection.vendor == "sqlite" else old[name]
        for name in ("run_id", "document_id", "version_id")
    )
    names, places = ", ".join(old), ", ".join(["%s"] * len(old))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO knowledge_verdict ({names}) VALUES ({places})", list(old.values()))  # noqa: S608
    assert run.verdicts.get().model == ""


def test_a_cell_that_a_spreadsheet_would_calculate_is_text():
    assert plain("=1+1") == "'=1+1"


def test_the_page_estimates_before_it_begins(people):
    client = signed_in(people.reader)
    page = client.post(f"/matters/{people.matter.pk}/runs/estimate/", {"kind": "every", "question": QUESTION})
    assert "3 documents" in page.content.decode()
    assert Run.objects.count() == 0
    begin = client.post(f"/matters/{people.matter.pk}/runs/begin/", {"kind": "every", "question": QUESTION})
    work_off()
    shown = client.get(begin["Location"]).content.decode()
    assert "binding arbitration in Geneva." in shown
    assert "Yes 1" in shown


def test_a_person_has_so_many_runs_at_work_at_most(people):
    for _ in range(runs.MOST_OPEN):
        begun(people)
    with pytest.raises(runs.Refused):
        begun(people)


def test_the_api_begins_follows_and_settles(people):
    client, headers = Client(), people.token(people.owner)
    path = f"/api/v1/matters/{people.matter.pk}/runs"
    body = {"kind": "every", "question": QUESTION}
    expected = client.post(f"{path}/estimate", body, content_type="application/json", headers=headers).json()
    assert expected["documents"] == 3
    run = client.post(path, body, content_type="application/json", headers=headers).json()
    work_off()
    assert client.get(f"/api/v1/runs/{run['id']}", headers=headers).json()["counts"]["yes"] == 1
    [yes] = client.get(f"/api/v1/runs/{run['id']}/verdicts?verdict=yes", headers=headers).json()
    assert yes["quotes"][0]["quote"].endswith("Geneva.")
    settled = client.put(
        f"/api/v1/runs/{run['id']}/verdicts/{yes['document_id']}",
        {"verdict": "no"},
        content_type="application/json",
        headers=headers,
    ).json()
    assert (settled["verdict"], settled["machine"], settled["settled_by"]) == ("no", "yes", "owner")
    assert client.post(f"/api/v1/runs/{run['id']}/pause", headers=headers).status_code == 409
