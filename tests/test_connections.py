"""Database connections: none is held while a model talks, none is left behind."""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

from inference.generator import Stream, Usage
from inference.generator.local import LocalGenerator
from ingestion import pipeline
from knowledge import access, answers, documents, streams
from knowledge.asgi import application
from knowledge.models import Answer, Document
from tests.conftest import make_people


@pytest.mark.django_db(transaction=True)
def test_while_the_model_talks_no_database_connection_is_open(monkeypatch):
    """Counted on the real connections of all threads, through the real application."""
    people = make_people()
    added = documents.add(people.matter, "a.txt", [b"The rent is due on the first of May."], people.owner)
    answer = ready(people, added.document)
    opened: dict[int, str] = {}
    counts: list[int] = []
    watch(monkeypatch, opened, counts)
    monkeypatch.setattr(streams, "RECHECK_SECONDS", 60)  # asking again takes a connection for a moment
    frames = read(f"/answers/{answer.pk}/stream/", cookie_of(people.owner))
    assert b"event: done" in frames
    assert counts, "nothing was generated"
    assert set(counts) == {0}, opened
    assert opened == {}


def ready(people, document: Document) -> Answer:
    pipeline.run(document.latest.job.pk)
    scope = access.scope_for(people.owner, people.matter)
    return answers.ask(scope, people.matter, people.owner, "When is the rent due?")


def watch(monkeypatch, opened: dict[int, str], counts: list[int]) -> None:
    """Keep count of open connections, and note it at every piece that the generator gives."""
    connect, close, stream = BaseDatabaseWrapper.connect, BaseDatabaseWrapper.close, LocalGenerator.stream

    def connecting(self):
        connect(self)
        opened[id(self)] = repr(self)

    def closing(self):
        opened.pop(id(self), None)
        close(self)

    def streaming(self, messages, options, cancelled):
        return Watched(stream(self, messages, options, cancelled), opened, counts)

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", connecting)
    monkeypatch.setattr(BaseDatabaseWrapper, "close", closing)
    monkeypatch.setattr(LocalGenerator, "stream", streaming)


class Watched:
    """A stream of the generator that notes the open connections at each piece."""

    def __init__(self, stream: Stream, opened: dict[int, str], counts: list[int]) -> None:
        self._stream, self._opened, self._counts = stream, opened, counts

    @property
    def usage(self) -> Usage:
        return self._stream.usage

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = next(self._stream)
        self._counts.append(len(self._opened))
        return piece


def cookie_of(user) -> bytes:
    client = Client()
    client.force_login(user)
    connection.close()
    return f"sessionid={client.cookies['sessionid'].value}".encode()


def read(path: str, cookie: bytes) -> bytes:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(b"host", b"localhost"), (b"cookie", cookie)],
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
    }

    async def exchange() -> bytes:
        caller = ApplicationCommunicator(application, scope)
        await caller.send_input({"type": "http.request", "body": b""})
        assert (await caller.receive_output(30))["status"] == 200
        frames = b""
        while True:
            output = await caller.receive_output(60)
            frames += output.get("body", b"")
            if not output.get("more_body"):
                break
        await caller.wait(10)
        return frames

    return asyncio.run(exchange())
