"""Answers over the wire: events as they happen, citations that hold, nothing kept when the reader leaves."""

import json
import re
import time
from collections.abc import Iterator

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


@live_service
def test_an_answer_in_one_piece_has_its_citations(live, client):
    answer = client.post(f"/matters/{live.matter}/ask", json=QUESTION).json()
    assert answer["state"] == "done"
    assert answer["sentences"]
    assert all(citation["quote"] for citation in answer["citations"])
