"""What is taken away while an answer streams: nothing more is sent after two seconds."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client, RequestFactory

from knowledge import entrance, matters, streams, walls
from knowledge.api.auth import CREDENTIAL, watch
from knowledge.draft import Event
from knowledge.models import ApiToken
from knowledge.models.token import digest
from tests.conftest import People, make_people

LIMIT_SECONDS = 2.0


def talk(cancelled: Callable[[], bool]) -> Iterator[Event]:
    """A model that never comes to an end."""
    for _ in range(600):
        if cancelled():
            return
        time.sleep(0.05)
        yield Event("text", {"text": "word "})
    pytest.fail("nobody stopped the stream")


def request_of(person: User, *, token: bool):
    request = RequestFactory().get("/")
    client = Client()
    client.force_login(person)
    request.session, request.user = client.session, person
    if token:
        request.META[CREDENTIAL] = digest(ApiToken.issue(person, "test"))
    return request


def new_password(person: User) -> None:
    person.set_password("another horse")
    person.save()


REVOCATIONS: dict[str, Callable[[People], object]] = {
    "membership": lambda people: matters.remove_member(people.matter, people.reader),
    "wall": lambda people: walls.raise_wall(people.matter, people.reader, walls.Terms("r"), people.owner),
    "account": lambda people: User.objects.filter(pk=people.reader.pk).update(is_active=False),
    "session": lambda _people: Session.objects.all().delete(),
    "password": lambda people: new_password(people.reader),
    "token": lambda _people: ApiToken.objects.all().delete(),
}


def test_under_a_demand_a_stream_lasts_no_longer_than_the_mark_of_the_factor(people, settings):
    request = request_of(people.reader, token=False)
    allowed = watch(request, people.matter.pk)
    assert allowed()
    settings.REQUIRE_MFA = True
    assert not allowed()
    request.session[entrance.FACTOR] = True
    request.session.save()
    assert allowed()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", REVOCATIONS)
def test_an_open_stream_ends_within_two_seconds(what):
    people = make_people()
    request = request_of(people.reader, token=what == "token")
    revoked: list[float] = []

    def revoke() -> None:
        REVOCATIONS[what](people)
        revoked.append(time.monotonic())
        connection.close()

    async def read() -> tuple[int, float]:
        frames = 0
        async for _ in streams.server_sent(talk, watch(request, people.matter.pk)):
            frames += 1
            if frames == 3:
                threading.Thread(target=revoke).start()
        return frames, time.monotonic()

    frames, ended = asyncio.run(read())
    assert frames >= 3
    assert ended - revoked[0] <= LIMIT_SECONDS
