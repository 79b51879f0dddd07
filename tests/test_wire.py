"""The doors for other programs, on a really running service: the client, the OpenAI format, MCP, events."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import httpx2
import pytest
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from knowledge.client import Client, Problem
from tests.conftest import Live

pytestmark = pytest.mark.xdist_group("live")
QUESTION = "What is the limit of liability?"


@pytest.fixture
def pincite(live: Live) -> Iterator[Client]:
    with Client(live.service.url, live.service.token) as client:
        yield client


@pytest.fixture
def http(live: Live) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {live.service.token}"}
    with httpx.Client(base_url=live.service.url, headers=headers, timeout=120) as client:
        yield client


def test_the_client_uploads_finds_and_asks(pincite):
    matter = pincite.create_matter("Harbour dispute", key=str(uuid4()))
    sent = pincite.upload(matter.id, "letters/fee.txt", b"The berthing fee is 4,200 euros a week.")
    assert pincite.wait(sent.id).state == "searchable"
    assert [row.path for row in pincite.documents(matter.id)] == ["letters/fee.txt"]
    [passage] = pincite.search(matter.id, "berthing fee")
    page = pincite.page(passage.version_id, passage.page)
    assert page.text[passage.start - page.start : passage.end - page.start] == passage.text
    answer = pincite.ask(matter.id, "What is the berthing fee?")
    assert answer.citations[0].quote == "The berthing fee is 4,200 euros a week."
    assert pincite.answer(answer.id) == answer
    pincite.delete_matter(matter.id)
    with pytest.raises(Problem) as problem:
        pincite.document(sent.id)
    assert problem.value.status == 404


def test_the_client_follows_an_answer(live, pincite):
    events = list(pincite.stream(UUID(live.matter), QUESTION))
    assert (events[0].kind, events[-1].kind) == ("answer", "done")


def test_an_openai_client_finds_matters_and_gets_cited_answers(live, http):
    models = http.get("/v1/models").json()
    assert f"matter:{live.matter}" in [row["id"] for row in models["data"]]
    body = {"model": f"matter:{live.matter}", "messages": [{"role": "user", "content": QUESTION}]}
    told = http.post("/v1/chat/completions", json=body).json()
    message = told["choices"][0]["message"]
    assert (told["object"], message["role"]) == ("chat.completion", "assistant")
    assert "Sources:\n[1] " in message["content"]
    for citation in told["citations"]:
        assert f"[{citation['number']}] {citation['document']}" in message["content"]
        assert citation["quote"] in message["content"]


def test_a_streamed_chat_is_the_same_in_chunks(live, http):
    body = {"model": f"matter:{live.matter}", "messages": [{"role": "user", "content": QUESTION}]}
    whole = http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
    with http.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line)["choices"][0] for line in lines[:-1]]
    assert chunks[-1]["finish_reason"] == "stop"
    said = "".join(chunk["delta"].get("content", "") for chunk in chunks)
    assert said.split() == whole.split()


@pytest.mark.parametrize("model", ["matter:{}", "gpt-4", "matter:x", "{}"])
def test_a_matter_that_is_not_there_is_an_error_as_openai_clients_know_it(http, model):
    body = {"model": model.format(uuid4()), "messages": [{"role": "user", "content": "x"}]}
    response = http.post("/v1/chat/completions", json=body)
    assert response.status_code == 404
    assert response.json()["error"]["message"] == response.json()["detail"]


def test_an_answer_is_taken_up_where_it_was_left(live, http):
    asked = http.post(f"/api/v1/matters/{live.matter}/ask", json={"question": QUESTION}).json()
    path = f"/api/v1/answers/{asked['id']}/events"
    everything = sentences(http.get(path).text)
    numbers = [int(found.split("-")[0]) for found, _ in everything]
    assert numbers == list(range(1, len(asked["sentences"]) + 1))
    assert [text for _, text in everything] == [row["text"] for row in asked["sentences"]]
    assert sentences(http.get(path, headers={"Last-Event-ID": everything[0][0]}).text) == everything[1:]
    last = http.get(path, headers={"Last-Event-ID": everything[-1][0]}).text
    assert sentences(last) == []
    assert "event: done" in last
    assert "event: anew" not in last


@pytest.mark.parametrize("told", ["1-000000000000", "999-000000000000"])
def test_what_was_told_and_no_longer_holds_is_told_anew(live, http, told):
    asked = http.post(f"/api/v1/matters/{live.matter}/ask", json={"question": QUESTION}).json()
    anew = http.get(f"/api/v1/answers/{asked['id']}/events", headers={"Last-Event-ID": told}).text
    assert anew.index("event: anew") < anew.index("event: sentence") < anew.index("event: done")
    assert [text for _, text in sentences(anew)] == [row["text"] for row in asked["sentences"]]


def test_an_answer_that_was_broken_off_goes_on_without_saying_things_twice(live, http):
    words = {"json": {"question": "Who are the parties?"}, "headers": {"Accept": "text/event-stream"}}
    with http.stream("POST", f"/api/v1/matters/{live.matter}/ask", **words) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                answer_id = json.loads(line.removeprefix("data: "))["id"]
                break
    path, seen = f"/api/v1/answers/{answer_id}/events", ""
    with http.stream("GET", path) as response:
        for line in response.iter_lines():
            seen += line + "\n"
            if line.startswith("data: ") and sentences(seen):
                break
    seen = sentences(seen)
    rest = http.get(path, headers={"Last-Event-ID": seen[-1][0]}).text
    stored = http.get(f"/api/v1/answers/{answer_id}").json()
    told = sentences(rest) if "event: anew" in rest else seen + sentences(rest)
    assert [text for _, text in told] == [row["text"] for row in stored["sentences"]]


def sentences(text: str) -> list[tuple[str, str]]:
    found = re.findall(r"id: (\S+)\nevent: sentence\ndata: (.*)\n", text)
    return [(number, json.loads(data)["text"]) for number, data in found]


# --- MCP -----------------------------------------------------------------------------------------------


def tool(live: Live, name: str, given: dict[str, object], token: str = "") -> tuple[bool, str]:
    """Call a tool with the official client; whether it failed, and what it said."""

    async def call() -> tuple[bool, str]:
        headers = {"Authorization": f"Bearer {token or live.service.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=120) as client,
            streamable_http_client(f"{live.service.url}/mcp", http_client=client) as streams,
            ClientSession(*streams[:2]) as session,
        ):
            await session.initialize()
            names = [each.name for each in (await session.list_tools()).tools]
            assert names == ["list_matters", "search", "read_page", "ask"]
            result = await session.call_tool(name, given)
            return bool(result.is_error), result.content[0].text

    return asyncio.run(call())


def test_an_assistant_searches_reads_and_asks(live):
    assert live.matter in tool(live, "list_matters", {})[1]
    found = json.loads(tool(live, "search", {"matter_id": live.matter, "query": "limit of liability"})[1])
    passage = found["results"][0]
    page = {"version_id": passage["version_id"], "number": passage["page"]}
    assert passage["text"][:40] in json.loads(tool(live, "read_page", page)[1])["text"]
    answer = json.loads(tool(live, "ask", {"matter_id": live.matter, "question": QUESTION})[1])
    assert answer["citations"][0]["quote"] and not answer["caution"]
    missing = {
        "matter_id": live.matter,
        "question": "Is there a source code escrow for the limit of liability?",
    }
    assert "source code escrow" in json.loads(tool(live, "ask", missing)[1])["caution"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("search", {"matter_id": str(uuid4()), "query": "x"}),
        ("ask", {"matter_id": str(uuid4()), "question": "x"}),
        ("read_page", {"version_id": str(uuid4()), "number": 1}),
        ("read_page", {"version_id": "../../matters", "number": 1}),
        ("search", {"matter_id": "x"}),
        ("delete_everything", {}),
    ],
)
def test_an_assistant_gets_nothing_that_its_person_may_not_see(live, name, given):
    assert tool(live, name, given)[0] is True


def test_an_assistant_starts_the_server_as_a_program(live):
    """Over standard input and output; it calls the running service in the name of the token's person."""
    given = {"PINCITE_TOKEN": live.service.token, "PINCITE_URL": live.service.url, "PATH": os.environ["PATH"]}
    program = StdioServerParameters(
        command=sys.executable,
        args=["manage.py", "mcp"],
        env={**given, "PINCITE_DATA_DIR": os.environ["PINCITE_DATA_DIR"]},
    )

    async def call() -> str:
        async with stdio_client(program) as streams, ClientSession(*streams) as session:
            await session.initialize()
            return (await session.call_tool("list_matters", {})).content[0].text

    assert live.matter in asyncio.run(call())


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer pincite_wrong"}])
def test_no_assistant_without_a_token(live, headers):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    response = httpx.post(f"{live.service.url}/mcp", json=body, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
