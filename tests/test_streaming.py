"""Answers over the wire: events as they happen, citations that hold, nothing kept when the reader leaves."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import Live

QUESTION = {"question": "What is the limit of liability?"}
SERVER_SENT = {"Accept": "text/event-stream"}
live_service = pytest.mark.xdist_group("live")


@pytest.fixture
def client(live: Live) -> Iterator[httpx.Client]:
    with live.service.client as client:
        yield client


def events(response: httpx.Response) -> Iterator[tuple[str, dict]]:
    kind = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


@live_service
def test_an_answer_comes_as_events_and_is_stored_as_it_came(live, client):
    path = f"/matters/{live.matter}/ask"
    with client.stream("POST", path, json=QUESTION, headers=SERVER_SENT) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        seen = list(events(response))
    kinds = [kind for kind, _ in seen]
    assert (kinds[0], kinds[-1]) == ("answer", "done")
    assert "text" in kinds
    stored = client.get(f"/answers/{seen[0][1]['id']}").json()
    assert stored["state"] == "done"
    assert [data["text"] for kind, data in seen if kind == "sentence"] == [
        sentence["text"] for sentence in stored["sentences"]
    ]
    assert stored["citations"]
    for citation in stored["citations"]:
        found = client.get(f"/matters/{live.matter}/search", params={"q": plain(citation["quote"])}).json()
        texts = [
            result["text"] for result in found["results"] if result["document_id"] == citation["document_id"]
        ]
        words = " ".join(citation["quote"].split())
        assert any(words in " ".join(text.split()) or " ".join(text.split()) in words for text in texts)


def plain(quote: str) -> str:
    """Its words alone: quotation marks and brackets would be read as the query language's."""
    return " ".join(re.findall(r"\w+", quote[:500]))


@live_service
def test_a_reader_who_leaves_frees_the_generator_at_once(live, client):
    path = f"/matters/{live.matter}/ask"
    with client.stream("POST", path, json=QUESTION, headers=SERVER_SENT) as response:
        seen = events(response)
        _, answer = next(seen)
        assert next(seen)[0] == "text"
    deadline = time.monotonic() + 5
    while client.get(f"/answers/{answer['id']}").json()["state"] != "ready":
        assert time.monotonic() < deadline, "the answer is still being written for nobody"
        time.sleep(0.05)


def asks(live: Live) -> dict[str, tuple[str, dict]]:
    """The doors where an answer comes in one piece."""
    call = {"name": "ask", "arguments": {"matter_id": live.matter, **QUESTION}}
    asked = [{"role": "user", "content": QUESTION["question"]}]
    return {
        "ask": (f"/api/v1/matters/{live.matter}/ask", QUESTION),
        "chat": ("/v1/chat/completions", {"model": f"matter:{live.matter}", "messages": asked}),
        "mcp": ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}),
    }


@live_service
@pytest.mark.parametrize("door", ["ask", "chat", "mcp"])
def test_who_hangs_up_before_the_answer_is_written_frees_the_generator_too(live, client, door):
    path, body = asks(live)[door]
    before = newest(live, client)
    with hanging(live, path, body) as line:
        until(lambda: newest(live, client) != before)
        answer = newest(live, client)
        until(lambda: client.get(f"/answers/{answer}").json()["state"] == "generating")
        line.shutdown(socket.SHUT_RDWR)
    until(lambda: client.get(f"/answers/{answer}").json()["state"] != "generating")
    assert client.get(f"/answers/{answer}").json()["state"] == "ready"


@contextmanager
def hanging(live: Live, path: str, body: dict) -> Iterator[socket.socket]:
    """A call whose response nobody has read yet."""
    content = json.dumps(body).encode()
    host = urlsplit(live.service.url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host.netloc}\r\nAuthorization: Bearer {live.service.token}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection((host.hostname, host.port)) as line:
        line.sendall(head.encode() + content)
        yield line


def newest(live: Live, client: httpx.Client) -> str:
    found = client.get(f"/matters/{live.matter}/answers", params={"limit": 1}).json()
    return found[0]["id"] if found else ""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@live_service
def test_an_answer_in_one_piece_has_its_citations(live, client):
    answer = client.post(f"/matters/{live.matter}/ask", json=QUESTION).json()
    assert answer["state"] == "done"
    assert answer["sentences"]
    assert all(citation["quote"] for citation in answer["citations"])
