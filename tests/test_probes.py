"""Every way into another matter, tried: each route × method × person × foreign id, in paths and bodies.

A probe sends an id of the foreign matter, and the same with an id of nothing. Both responses must be equal
in status, headers and body but for the id itself, and neither may hold a word or another id of the foreign
matter. The probes are made from the routes, the description of the API and the forms (tests/doors.py).
"""

import logging
import os
from collections.abc import Iterator

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from knowledge import asgi, generations, holds, matters, mcp
from knowledge.models import ApiToken
from tests import doors, probing
from tests.probing import ASK, TELL, Probe, Stage

ALL = os.environ.get("PINCITE_TEST_PROBES") == "all"
STRIDE = 23  # shares no factor with the number of personas, so that each takes its turn at each door
CHUNKS = 8

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


@pytest.fixture
def stage(db) -> Iterator[Stage]:
    logging.disable(logging.WARNING)  # thousands of refusals
    yield Stage()
    logging.disable(logging.NOTSET)


def chosen() -> list[Probe]:
    return probing.every()[:: 1 if ALL else STRIDE]


def test_the_probes_are_as_many_as_promised():
    assert len(probing.every()) > 40_000
    assert len({probe.door for probe in chosen()}) > 300


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_foreign_id_is_answered_as_one_that_does_not_exist(stage, chunk):
    probes = chosen()[chunk::CHUNKS]
    problems = [problem for probe in probes if (problem := stage.problem(probe))]
    print(f"{len(probes)} probes, {len(problems)} leaks", *problems, sep="\n")
    assert problems == []


@pytest.mark.parametrize("persona", ["reader", "manager", "manager_token", "outsider", "admin"])
def test_another_matter_changes_nothing_of_ones_own(stage, persona):
    """Counts, facets, suggestions, lists, exports, history: the same when the foreign matter is gone."""
    before = seen_by(stage, persona)
    generations.index(generations.current()).delete_points([stage.foreign.rows["Passage"].pk])
    holds.lift(stage.foreign.matter)
    matters.delete(stage.foreign.matter)
    after = seen_by(stage, persona)
    assert [path for path in before if before[path] != after[path]] == []
    assert len(before) > 60


def seen_by(stage: Stage, persona: str) -> dict[str, object]:
    """All that a person reads, but for the firm-wide lists that administrators are meant to see."""
    hidden = ("/admin/", *doors.FRESH)
    opened = [door for door in doors.doors() if door.method == "GET" and not door.path.startswith(hidden)]
    return {door.path: probing.plain(*stage.send(Probe(door, persona), "own")) for door in opened}


# --- Other assistants ---------------------------------------------------------------------------------

GIVEN = {"query": f"What does {ASK} pay?", "question": f"What does {ASK} pay?", "number": 1}


@pytest.mark.parametrize("persona", probing.TOKENS)
def test_an_assistant_gets_for_a_foreign_id_what_it_gets_for_none(stage, persona):
    for name, (_, takes, _) in mcp.TOOLS.items():
        ids = [each for each, schema in takes.items() if schema.get("format") == "uuid"]
        said = {}
        for target in ("foreign", "missing"):
            sent = {each: stage.id_of(target, each) for each in ids}
            said[target] = asked(stage, persona, name, {**GIVEN, **sent})
        assert said["foreign"] == said["missing"] or not ids, name
        assert stage.planted(Probe(doors.Door("POST", "/mcp"), persona), said["foreign"], [ASK]) == []


def test_an_assistant_of_whose_it_is_gets_what_is_planted(stage):
    stage.personas["stranger"] = probing.bearer(ApiToken.issue(stage.foreign.owner, "t"))
    version = {"version_id": stage.ids["foreign"]["version_id"], "number": 1}
    assert TELL in asked(stage, "stranger", "read_page", version)
    assert TELL in asked(stage, "stranger", "list_matters", {})


def asked(stage: Stage, persona: str, tool: str, given: dict[str, object]) -> str:
    """What the MCP server of this process answers to a call of the tool."""

    async def call() -> str:
        headers = {**stage.personas[persona].headers, "Accept": "application/json, text/event-stream"}
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": given},
        }
        # Without a thread for each request, which would have another connection: nothing here is committed.
        transport = httpx.ASGITransport(asgi.guarded(asgi.pages))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver", headers=headers
        ) as client:
            return (await client.post("/mcp", json=body)).text

    with transaction.atomic(), probing.one_connection():
        said: str = async_to_sync(call)()
        transaction.set_rollback(True)
    return said


# --- That the probes would notice ---------------------------------------------------------------------


def test_whose_the_foreign_matter_is_gets_in_at_each_door(stage):
    """So every id that the probes send into a path is one that leads somewhere."""
    shut = {door.path for door in doors.doors() if door.names and not door.path.startswith("/admin/")}
    for door in doors.doors():
        if door.path in shut:
            probe = Probe(door, "stranger", door.names)
            foreign, missing = (stage.send(probe, target)[0].status for target in ("foreign", "missing"))
            shut -= {door.path} if foreign != missing else set()
    assert shut == set()


def test_each_field_that_takes_ids_does_so(stage):
    """One of our own is answered otherwise than one of nothing."""
    asleep = {
        (door.path if door.is_api else "a page", each.name) for door in doors.doors() for each in door.fields
    }
    for door in doors.doors():
        for field in door.fields:
            key = (door.path if door.is_api else "a page", field.name)
            for persona in ("manager", "auditor") if key in asleep else ():
                probe = Probe(door, persona, field=field)
                own, missing = (probing.plain(*stage.send(probe, target)) for target in ("own", "missing"))
                asleep -= {key} if own != missing else set()
    assert asleep == set()


def test_what_is_planted_is_seen_by_whose_it_is(stage):
    """On so many pages and answers of the API that its absence elsewhere says something."""
    seen = set()
    for door in doors.doors():
        if door.method == "GET" and "matter" not in door.names:
            heard, _ = stage.send(Probe(door, "stranger", door.names), "foreign")
            seen |= {door.path} if TELL in heard.all else set()
    assert len(seen) > 40, sorted(seen)
