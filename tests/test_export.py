"""The export of a matter: all of it, in pieces, for as long as its reader may read it."""

import asyncio
import json

import pytest
from django.test import Client

from knowledge import documents, matters, streams
from knowledge.api import service
from knowledge.models import Answer
from tests.conftest import People, make_people

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def five(monkeypatch) -> People:
    """A matter with five documents and three answers, exported two at a time."""
    monkeypatch.setattr(service, "AT_ONCE", 2)
    people = make_people()
    for number in range(5):
        documents.add(people.matter, f"{number}.txt", [f"Letter {number}.".encode()], people.owner)
    for number in range(3):
        Answer.objects.create(matter=people.matter, asker=people.owner, question=f"{number}?")
    return people


def exported(people: People, after_first=lambda: None) -> list[dict]:
    """The lines; `after_first` is done when the first piece has come."""
    client = Client(headers=people.token(people.reader))
    response = client.get(f"/api/v1/matters/{people.matter.pk}/export")
    assert response.status_code == 200

    async def read() -> bytes:
        body = b""
        async for piece in response.streaming_content:
            if not body:
                await streams.in_thread(after_first)
            body += piece
        return body

    return [json.loads(line) for line in asyncio.run(read()).splitlines()]


def test_every_document_and_answer_is_in_it_once(five):
    lines = exported(five)
    assert [line["kind"] for line in lines] == ["matter", *["document"] * 5, *["answer"] * 3]
    assert {line["path"] for line in lines[1:6]} == {f"{number}.txt" for number in range(5)}
    assert {line["question"] for line in lines[6:]} == {"0?", "1?", "2?"}


def test_it_breaks_off_when_its_reader_is_taken_out(five):
    lines = exported(five, lambda: matters.remove_member(five.matter, five.reader))
    assert [line["kind"] for line in lines] == ["matter"]
