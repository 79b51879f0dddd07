"""A server that turns bad while it writes an answer: that is said, nothing is kept, and it goes on after."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.types import Receive, Scope, Send

from ingestion import pipeline
from knowledge import access, answers, documents, engines, writing
from knowledge.models import Answer, Citation
from tests.conftest import People, make_people
from tests.inference.conftest import serving
from tests.inference.test_remote import END, piece
from tests.test_retry import asking, sent

RENT = "The rent is due on the first of May. "
BAD = ["garbage", "error", "cut", "reset", "silent", "dripping"]
ODD = {"choices": [{"delta": {"content": "It \x00\ud83d is. "}}], "usage": {"prompt_tokens": 10**30}}
SAID = {
    "good": END,
    "odd": f"data: {json.dumps(ODD)}\n\n{END}",
    "garbage": f"data: <html>502</html>\n\n{END}",
    "error": 'data: {"error": {"message": "out of memory", "code": 500}}\n\n',
}
SERVER_SENT = {"Accept": "text/event-stream"}


class Server:
    """Writes a sentence, and then what its mood is."""

    mood = "good"
    has_spoken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await say(send, piece(RENT) + SAID.get(self.mood, ""))
        self.has_spoken = True
        if self.mood == "reset":
            raise ConnectionResetError
        if self.mood in {"silent", "dripping"}:
            hung_up = asyncio.ensure_future(receive())
            while not hung_up.done():
                await say(send, ": not yet\n\n" if self.mood == "dripping" else "")
                await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b""})


async def say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


@pytest.fixture
def server(settings) -> Iterator[Server]:
    made = Server()
    with serving(made) as url:
        settings.GENERATOR = replace(settings.GENERATOR, url=url, model="m", window=8192, timeout_seconds=0.5)
        engines.forget()
        yield made
    engines.forget()


@pytest.fixture
def case(transactional_db, server) -> People:
    people = make_people()
    added = documents.add(people.matter, "lease.txt", [RENT.encode() * 2], people.owner)
    pipeline.run(added.version.job.pk)
    return people


@pytest.mark.parametrize("mood", BAD)
def test_the_stream_ends_in_a_problem_nothing_is_kept_and_the_next_one_is_served(
    case, server, settings, mood
):
    server.mood, settings.ANSWER_SECONDS = mood, 2 if mood == "dripping" else 60
    path, body = asking(case)["rest"]
    said = sent(case, path, body, SERVER_SENT).text
    kinds = [line.removeprefix("event: ") for line in said.splitlines() if line.startswith("event: ")]
    assert kinds[0] == "answer" and "text" in kinds and kinds[-1] == "problem" and "done" not in kinds
    answer = Answer.objects.get()
    assert json.loads(said.rpartition("data: ")[2])["reason"] == answer.reason != ""
    assert (answer.state, answer.sentences, answer.said) == (Answer.State.FAILED, [], "")
    assert not answer.citations.filter(origin=Citation.Origin.TEXT).exists()
    server.mood = "good"
    assert writing.complete(answer.pk, lambda: False)["state"] == Answer.State.DONE
    answer.refresh_from_db()
    assert answer.sentences[0]["citations"]


def test_an_answer_that_was_cancelled_says_nothing_at_its_end(case, server):
    server.mood = "dripping"
    asked = iter(range(5))  # so often after it has spoken
    answer = answers.ask(
        access.scope_for(case.owner, case.matter), case.matter, case.owner, "When is the rent due?"
    )
    assert writing.complete(answer.pk, lambda: server.has_spoken and next(asked, None) is None) == {}
    answer.refresh_from_db()
    assert answer.state == Answer.State.READY


@pytest.mark.parametrize("mood", ["garbage", "cut"])
def test_a_chat_ends_in_an_error_and_without_its_end(case, server, mood):
    server.mood = mood
    path, body = asking(case)["chat"]
    chunks = sent(case, path, {**body, "stream": True}).text.strip().split("\n\n")
    assert json.loads(chunks[-1].removeprefix("data: "))["error"]["type"] == "problem"
    assert sent(case, path, body).status_code == 503
    server.mood = "good"
    assert sent(case, path, body).status_code == 200


def test_numbers_and_letters_that_cannot_be_stored_spoil_no_answer(case, server):
    server.mood = "odd"
    answer = answers.ask(
        access.scope_for(case.owner, case.matter), case.matter, case.owner, "When is the rent due?"
    )
    assert writing.complete(answer.pk, lambda: False)["state"] == Answer.State.DONE
    answer.refresh_from_db()
    assert answer.prompt_tokens is None
    assert "\ufffd\ufffd" in answer.said
