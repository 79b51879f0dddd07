"""Research: planned, searched in several steps, reported with quotes alone, and followed while it goes on."""

import asyncio
import csv
import io
import json
from datetime import timedelta

import pytest
from django.test import AsyncClient, Client
from django.utils import timezone

from ingestion import pipeline
from knowledge import access, comparison, documents, investigation, jobs, matters, report, runs, traces
from knowledge.models import Job, Role, Run
from tests.conftest import make_people
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db(transaction=True)

FILES = {
    "supply agreement.txt": "Either party may terminate the supply agreement with notice of thirty days.\n\n"
    "The crane was delivered to the harbour on 4 May 2031.\n",
    "lease.txt": "The tenant may terminate the lease with notice of six months.\n\n"
    "On 2 March 2030 the crane was inspected in the harbour for the first time.\n",
}
CHRONOLOGY = "Give me a chronology of the crane in the harbour"


@pytest.fixture
def people():
    made = make_people()
    for name, text in FILES.items():
        documents.add(made.matter, name, [text.encode()], made.owner)
    work_off()
    return made


def begun(people, question: str) -> Run:
    scope = access.scope_for(people.reader, people.matter)
    return runs.begin(scope, people.matter, people.reader, Run.Kind.RESEARCH, question)


def done(people, question: str) -> Run:
    run = begun(people, question)
    work_off()
    run.refresh_from_db()
    assert run.state == Run.State.DONE, run.note
    return run


def kinds(run: Run) -> list[str]:
    return list(run.steps.values_list("kind", flat=True))


def test_a_comparison_has_a_heading_for_each_and_every_line_is_a_quote(people):
    run = done(people, "Compare the supply agreement and the lease on termination notice")
    first, second = report.shown(run)
    assert "thirty days" in first.lines[0].finding.quote
    assert "six months" in second.lines[0].finding.quote
    for line in [*first.lines, *second.lines]:
        assert line.finding.quote == line.finding.version.text()[line.finding.start : line.finding.end]
    assert kinds(run) == ["plan", "search", "finding", "search", "finding", "write", "done"]


def test_the_table_has_a_row_for_each_document_and_a_column_for_each_question(people):
    run = done(people, "Who may terminate with notice? When was the crane delivered to the harbour?")
    client = Client()
    client.force_login(people.reader)
    answer = client.get(f"/runs/{run.pk}/table/")
    head, *rows = csv.reader(io.StringIO(answer.content.decode()))
    assert head[0] == "document"
    assert head[1:] == ["Who may terminate with notice", "When was the crane delivered to the harbour"]
    assert [row[0] for row in rows] == ["lease.txt", "supply agreement.txt"]
    assert "six months. [page\N{NO-BREAK SPACE}1]" in rows[0][1]
    assert "thirty days" in rows[1][1]
    assert "4 May 2031" in rows[1][2]
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "Side by side" in page
    documents.delete(people.matter.documents.get(path="lease.txt"))
    assert "lease.txt" not in [row.document for row in comparison.table(run).rows]


def test_what_is_asked_of_each_document_is_one_column(people):
    made = comparison.table(done(people, "Compare the notice of termination across all documents"))
    assert made.columns == ["notice of termination"]
    assert [row.document for row in made.rows] == sorted(FILES)
    assert all(found.version.document.path == row.document for row in made.rows for found in row.cells[0])


def test_a_chronology_is_in_the_order_of_the_dates_in_its_quotes(people):
    [section, *_] = report.shown(done(people, CHRONOLOGY))
    assert [line.label for line in section.lines] == ["2 March 2030", "4 May 2031"]


def test_what_is_not_found_is_searched_once_in_other_words_and_then_told(people):
    run = done(people, "Who won the football match? When may the tenant terminate the lease?")
    assert kinds(run)[:4] == ["plan", "search", "search", "gap"]
    gap = report.shown(run)[-1]
    assert (gap.heading, gap.lines[0].text) == ("Not found", "Who won the football match")
    assert not gap.lines[0].is_verified


class Interrupted(investigation.Investigation):
    """A source is deleted while the generator writes the summary."""

    def _summary(self, rows):
        documents.delete(rows[0].version.document)
        return [{"heading": "Summary", "lines": [{"text": rows[0].quote, "findings": []}]}]


def test_a_report_is_not_stored_when_its_source_was_deleted_meanwhile(people, settings):
    settings.RUN_GENERATOR = True
    run = begun(people, CHRONOLOGY)
    research = Interrupted(jobs.claim_next(), run)
    plan = research.plan()
    for place in range(len(plan.parts)):
        research.look(plan, place)
    research.write(plan)
    run.refresh_from_db()
    assert (run.report, run.note) == ([], traces.SOURCE_DELETED)


def test_a_worker_that_takes_over_goes_on_behind_the_last_step(people):
    run = begun(people, CHRONOLOGY)
    lease = jobs.claim_next()
    first = investigation.Investigation(lease, run)
    plan = first.plan()
    first.look(plan, 0)
    before = list(run.findings.values_list("pk", flat=True))
    Job.objects.filter(pk=lease.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    work_off()
    with pytest.raises(jobs.LeaseLost):
        first.look(plan, 1)
    assert kinds(run).count("plan") == 1
    assert set(before) <= set(run.findings.values_list("pk", flat=True))
    assert kinds(run)[-1] == "done"
    places = [step.data["place"] for step in run.steps.filter(kind__in=("finding", "gap"))]
    assert places == sorted(set(places))


def test_it_is_bounded_in_time_and_says_so(people, monkeypatch):
    monkeypatch.setattr(investigation, "SECONDS", 0.0)
    run = done(people, CHRONOLOGY)
    assert run.note == investigation.LATE
    assert kinds(run).count("search") == 1


def test_it_ends_when_who_asked_is_taken_out_or_stops_it(people):
    run = begun(people, CHRONOLOGY)
    matters.remove_member(people.matter, people.reader)
    work_off()
    run.refresh_from_db()
    assert (run.state, kinds(run)) == (Run.State.CANCELLED, [])
    matters.set_member(people.matter, people.reader, Role.READER)
    stopped = begun(people, CHRONOLOGY)
    lease = jobs.claim_next()
    runs.cancel(stopped, people.reader)
    pipeline.work(lease)
    assert kinds(stopped) == []


def test_a_quote_whose_document_is_deleted_is_told_and_not_shown(people):
    run = done(people, CHRONOLOGY)
    documents.delete(people.matter.documents.get(path="lease.txt"))
    flags = [line.flag for section in report.shown(run) for line in section.lines]
    assert report.DELETED in flags
    client = Client()
    client.force_login(people.reader)
    assert "2 March 2030 the crane" not in client.get(f"/runs/{run.pk}/").content.decode()


def test_the_stream_tells_each_step_once_and_goes_on_behind_the_last_one_seen(people):
    run = done(people, CHRONOLOGY)
    whole = followed(people.reader, run)
    assert [name for _, name, _ in whole] == [*kinds(run), "end"]
    rest = followed(people.reader, run, after=3)
    assert rest == whole[3:]


def test_the_stream_ends_for_who_may_no_longer_read(people):
    run = begun(people, CHRONOLOGY)  # and nobody works on it

    async def lose_access() -> list[bytes]:
        client = AsyncClient()
        await client.aforce_login(people.reader)
        response = await client.get(f"/runs/{run.pk}/stream/")
        await matters_remove(people)
        return [frame async for frame in response.streaming_content]

    assert asyncio.run(lose_access()) == []


async def matters_remove(people) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(matters.remove_member)(people.matter, people.reader)


def followed(user, run: Run, after: int = 0) -> list[tuple[str, str, dict]]:
    """The events of the stream as (id, name, data)."""

    async def read() -> str:
        client = AsyncClient()
        await client.aforce_login(user)
        headers = {"Last-Event-ID": str(after)} if after else {}
        response = await client.get(f"/runs/{run.pk}/stream/", headers=headers)
        return b"".join([frame async for frame in response.streaming_content]).decode()

    events = []
    for frame in asyncio.run(read()).strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines())
        events.append((lines.get("id", ""), lines["event"], json.loads(lines["data"])))
    return events
