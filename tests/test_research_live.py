"""Research as it goes on: followed step by step, with the default model summing up, and bounded."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from django.test import AsyncClient, Client

from knowledge import engines, investigation, jobs, report, streams, subquestions
from knowledge.exhaustive import finish
from knowledge.models import Run
from tests.test_research import CHRONOLOGY, begun, done, kinds, people  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

MANY = [f"Who signed annex {number}" for number in range(1, 18)]


class Worker:
    """Goes through research one step at a time, so that a test can look in between."""

    def __init__(self, run: Run) -> None:
        lease = jobs.claim_next()
        assert lease is not None
        self.lease, self.work = lease, investigation.Investigation(lease, run)
        self.plan = self.work.plan()

    async def look(self, place: int) -> None:
        await streams.in_thread(self.work.look, self.plan, place)

    async def write(self) -> None:
        await streams.in_thread(self.work.write, self.plan)
        await streams.in_thread(finish, self.lease, Run.State.DONE)


class Reader:
    """Follows a run over its page's stream; what it has seen is `seen`, as (number, kind)."""

    def __init__(self, client: AsyncClient, run: Run) -> None:
        self.client, self.run = client, run
        self.seen: list[tuple[int, str]] = []
        self._frames: AsyncIterator[bytes] | None = None

    async def connect(self) -> None:
        """As a browser does: the first time without a word, later with the last step it saw."""
        headers = {"Last-Event-ID": str(self.seen[-1][0])} if self.seen else {}
        response = await self.client.get(f"/runs/{self.run.pk}/stream/", headers=headers)
        self._frames = aiter(response.streaming_content)

    async def lose_connection(self) -> None:
        assert self._frames is not None
        await self._frames.aclose()

    async def read_to(self, kind: str) -> None:
        """Take in events until one of this kind has come."""
        assert self._frames is not None
        async for frame in self._frames:
            lines = dict(line.split(": ", 1) for line in frame.decode().strip().splitlines())
            if "event" not in lines:
                continue
            if lines["event"] != "end":
                assert json.loads(lines["data"])["told"]
                self.seen.append((int(lines["id"]), lines["event"]))
            if lines["event"] == kind:
                return


async def reader_of(run: Run) -> Reader:
    client = AsyncClient()
    await client.aforce_login(run.asker)
    return Reader(client, run)


def test_each_step_is_told_as_it_happens_and_none_twice_or_never_when_the_connection_breaks(people):  # noqa: F811
    run = begun(people, CHRONOLOGY)

    async def follow() -> Reader:
        worker = await streams.in_thread(Worker, run)
        reader = await reader_of(run)
        await reader.connect()
        await reader.read_to("plan")
        await worker.look(0)
        await reader.read_to("finding")  # and nobody looks for the second one yet
        assert [kind for _, kind in reader.seen] == ["plan", "search", "finding"]
        await reader.lose_connection()
        for place in range(1, len(worker.plan.parts)):
            await worker.look(place)
        await reader.connect()
        await reader.read_to("search")
        await reader.lose_connection()
        await worker.write()
        await reader.connect()
        await reader.read_to("end")
        return reader

    reader = asyncio.run(follow())
    assert reader.seen == list(run.steps.values_list("number", "kind"))
    assert [number for number, _ in reader.seen] == list(range(1, len(reader.seen) + 1))
    assert reader.seen[-1][1] == "done"


def test_a_run_that_is_stopped_while_it_is_followed_ends_its_stream(people):  # noqa: F811
    run = begun(people, CHRONOLOGY)

    async def follow() -> Reader:
        worker = await streams.in_thread(Worker, run)
        reader = await reader_of(run)
        await reader.connect()
        await worker.look(0)
        await reader.read_to("finding")
        assert (await reader.client.get(f"/runs/{run.pk}/")).status_code == 200
        response = await reader.client.post(f"/runs/{run.pk}/control/", {"cancel": "1"})
        assert response.status_code == 302
        with pytest.raises(jobs.LeaseLost):
            await worker.look(1)
        await reader.read_to("end")
        return reader

    reader = asyncio.run(follow())
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED
    assert [kind for _, kind in reader.seen] == ["plan", "search", "finding"] == kinds(run)


def test_the_default_model_sums_up_and_every_sentence_is_carried_by_a_quote_or_marked(people, settings):  # noqa: F811
    settings.RUN_GENERATOR = True
    run = done(people, CHRONOLOGY)
    summary, *_ = report.shown(run)
    assert summary.heading == "In short (machine-written)"
    assert summary.lines
    for line in summary.lines:
        assert line.is_verified == (line.finding is not None)
        if line.finding is None:
            assert line.flag == report.UNVERIFIED
        else:
            version = line.finding.version
            assert line.finding.quote == version.text()[line.finding.start : line.finding.end]
    assert any(line.is_verified for line in summary.lines)
    said = [line.text for line in summary.lines]
    assert len(said) == len(set(said))
    assert run.model == engines.generator().name
    assert run.prompt_tokens > run.cached_tokens >= 0
    client = Client()
    client.force_login(people.reader)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "In short (machine-written)" in page
    assert all(line.text in page for line in summary.lines if line.finding is None)


def test_a_question_that_plans_more_than_the_most_is_bounded_and_says_so(people):  # noqa: F811
    run = done(people, "? ".join(MANY))
    assert len(run.steps.filter(kind="gap")) + len(run.steps.filter(kind="finding")) == subquestions.MOST
    [made] = run.steps.filter(kind="plan")
    assert MANY[subquestions.MOST - 1] in made.data["told"]
    assert MANY[subquestions.MOST] not in made.data["told"]
    assert "5 more" in made.data["told"]
    assert "5 more" in run.note
    client = Client()
    client.force_login(people.reader)
    assert run.note in client.get(f"/runs/{run.pk}/").content.decode()


def test_a_comparison_of_more_documents_than_the_most_says_so_too(people):  # noqa: F811
    paths = [f"lease {number:02}.txt" for number in range(20)]
    made = subquestions.plan("Compare the notice of termination across all documents", paths)
    assert [part.document for part in made.parts] == paths[: subquestions.MOST]
    assert made.left_out == 8
    assert subquestions.Plan.of(made.told()) == made
    assert subquestions.Plan.of({"shape": "list", "parts": []}).left_out == 0  # as stored before
