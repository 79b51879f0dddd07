"""A part that is busy: every door says when to come back, and nothing where waiting will not help."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.test import Client as Browser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.app import ServerConfig, build_app
from inference.wire import problem
from ingestion import pipeline
from knowledge import access, answers, asgi, documents, engines, retry
from knowledge.client import Problem
from tests.calling import calling
from tests.conftest import People, make_people
from tests.inference.conftest import serving

QUESTION = "When is the rent due?"
EMBEDDER, GENERATOR = "/v1/embeddings", "/v1/chat"


class Host:
    """Our own inference server behind a proxy that turns calls away."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.shut = ""  # how the addresses begin that lead nowhere
        self.times = math.inf
        self.wait = "6.2"

        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if not (self.shut and scope["path"].startswith(self.shut) and self.times > 0):
            await self.app(scope, receive, send)
            return
        self.times -= 1
        while (await receive()).get("more_body"):
            pass
        refusal = JSONResponse({"error": {"message": "Full."}}, 503, {"Retry-After": self.wait})
        await refusal(scope, receive, send)


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    return build_app(ServerConfig())


@pytest.fixture
def host(settings, app) -> Iterator[Host]:
    made = Host(app)
    with serving(made) as url:
        # Named, so that nobody asks for the names: the host would load both of its models for that.
        settings.EMBEDDER = replace(settings.EMBEDDER, url=url, model="all-MiniLM-L6-v2")
        settings.GENERATOR = replace(settings.GENERATOR, url=url, model="any", window=8192)
        engines.forget()
        yield made
    engines.forget()


@pytest.fixture
def case(transactional_db, host) -> People:
    """A matter with a document, read while the host was well."""
    people = make_people()
    added = documents.add(people.matter, "lease.txt", [b"The rent is due on the first of May."], people.owner)
    pipeline.run(added.version.job.pk)
    return people


def sent(case: People, path: str, body: dict, headers: dict[str, str] | None = None) -> httpx.Response:
    """A POST to the service in this process, over ASGI, as streams need it."""

    given = {**case.token(case.owner), **(headers or {})}

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(asgi.guarded(asgi.pages))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver", headers=given
        ) as client:
            return await client.post(path, json=body)

    return async_to_sync(call)()


def asking(case: People, question: str = QUESTION) -> dict[str, tuple[str, dict]]:
    """The doors where an answer comes in one piece."""
    matter = str(case.matter.pk)
    call = {"name": "ask", "arguments": {"matter_id": matter, "question": question}}
    chat = {"model": f"matter:{matter}", "messages": [{"role": "user", "content": question}]}
    return {
        "rest": (f"/api/v1/matters/{matter}/ask", {"question": question}),
        "chat": ("/v1/chat/completions", chat),
        "mcp": ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}),
    }


def waits(door: str, response: httpx.Response) -> bool:
    if door == "mcp":
        [content] = response.json()["result"]["content"]
        return response.json()["result"]["isError"] and content["text"].endswith("Try again in 7 seconds.")
    return response.status_code == 503 and response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("door", ["rest", "chat", "mcp"])
@pytest.mark.parametrize("part", [EMBEDDER, GENERATOR])
def test_where_a_model_is_busy_every_door_says_when_to_come_back(case, host, door, part):
    host.shut = part
    headers = {"Accept": "application/json, text/event-stream"} if door == "mcp" else {}
    assert waits(door, sent(case, *asking(case)[door], headers))


def test_the_stream_of_an_answer_says_so_in_its_problem(case, host):
    host.shut = GENERATOR
    path, body = asking(case)["rest"]
    said = sent(case, path, body, {"Accept": "text/event-stream"}).text
    told = json.loads(said.split("event: problem\ndata: ")[1])
    assert told["retry_after"] == 7
    assert "Full." in told["reason"]


def test_the_stream_of_a_chat_says_so_in_its_error(case, host):
    host.shut = GENERATOR
    path, body = asking(case)["chat"]
    lines = sent(case, path, {**body, "stream": True}).text.strip().splitlines()
    error = json.loads(lines[-1].removeprefix("data: "))["error"]
    assert (error["type"], error["retry_after"]) == ("problem", 7)


def test_the_pages_say_so(case, host):
    host.shut = EMBEDDER
    browser = Browser()
    browser.force_login(case.owner)
    asked = browser.post(f"/matters/{case.matter.pk}/ask/", {"question": QUESTION})
    searched = browser.get(f"/matters/{case.matter.pk}/search/", {"q": "rent"})
    assert [(page.status_code, page["Retry-After"]) for page in (asked, searched)] == [(503, "7")] * 2


def test_nothing_is_said_where_waiting_will_not_help(case, settings):
    settings.GENERATOR = replace(settings.GENERATOR, url="", model="/nonexistent/model")
    engines.forget()
    response = sent(case, *asking(case)["rest"])
    assert response.status_code == 503
    assert "Retry-After" not in response.headers


def test_the_client_gives_the_time(case, host):
    host.shut = EMBEDDER
    with calling(case.owner, patience=6.9) as client, pytest.raises(Problem) as caught:
        client.search(case.matter.pk, "rent")
    assert (caught.value.status, caught.value.retry_after) == (503, 7)


def test_a_patient_client_tries_again_what_may_be_repeated(case, host):
    host.shut, host.wait, host.times = EMBEDDER, "0", 2
    with calling(case.owner, patience=5) as client:
        [found] = client.search(case.matter.pk, "rent")
        assert "first of May" in found.text
        host.times = 1
        with pytest.raises(Problem) as caught:  # another question would be asked
            client.ask(case.matter.pk, QUESTION)
    assert caught.value.retry_after == 0


def test_a_patient_client_tries_a_stream_again_that_was_one_call_too_many(people):
    with calling(people.owner, patience=5, refusals=2) as client, pytest.raises(Problem) as caught:
        list(client.stream(uuid4(), QUESTION))
    assert caught.value.status == 404  # what the service itself says


def test_the_question_of_an_answer_is_embedded_for_search_and_once_more(case, host):
    for _ in range(2):  # the first also embeds the names of all kinds of clauses
        host.asked.clear()
        answers.ask(access.scope_for(case.owner, case.matter), case.matter, case.owner, QUESTION)
    # Once each: for search, for the sentences and what they are compared with, for the kind of clause.
    assert host.asked.count(EMBEDDER) == 4


@pytest.mark.parametrize(
    ("told", "seconds"), [("6.2", 7), ("0", 0), ("-3", 0), ("inf", 5), ("nan", 5), ("soon", 5), (None, 5)]
)
def test_what_a_server_says_becomes_whole_seconds(told, seconds):
    assert retry.seconds(problem("host", 503, "", told)) == seconds


def test_the_description_names_the_header(client):
    responses = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/matters"]["get"]["responses"]
    assert {status for status, each in responses.items() if "Retry-After" in each.get("headers", {})} == {
        "429",
        "503",
    }
