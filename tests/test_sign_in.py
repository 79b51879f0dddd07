"""Signing in: five failures lock a name, whoever asks; people see where they are signed in and end it."""

import statistics
import time

import pytest
from django.contrib.sessions.models import Session
from django.test import Client, override_settings

from knowledge.models import AuditEvent, SignIn

PBKDF2 = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
ROUNDS = 15


def attempt(client: Client, name: str, password: str, **headers: str):
    return client.post("/login/", {"username": name, "password": password}, headers=headers)


@pytest.mark.parametrize("name", ["reader", "nobody-of-this-name"])
def test_five_failures_lock_a_name_known_or_not_and_no_header_gets_round_it(people, name):
    for number in range(5):
        response = attempt(Client(REMOTE_ADDR=f"10.0.0.{number}"), name, "wrong")
    assert response.status_code == 429
    for number, header in enumerate(("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "Via")):
        client = Client(REMOTE_ADDR=f"10.1.0.{number}")
        response = attempt(client, name, "correct horse", **{header: f"6.6.6.{number}"})
        assert response.status_code == 429
        assert "_auth_user_id" not in client.session
    assert AuditEvent.objects.filter(act="refused").count() >= 5


def test_another_name_is_not_locked_and_success_begins_anew(people):
    for _ in range(5):
        attempt(Client(), "reader", "wrong")
    assert attempt(Client(), "owner", "correct horse").status_code == 302
    for _ in range(3):
        for _ in range(4):
            attempt(Client(), "member", "wrong")
        assert attempt(Client(), "member", "correct horse").status_code == 302


def test_a_locked_name_is_locked_in_the_admin_too(people):
    for _ in range(5):
        attempt(Client(), "owner", "wrong")
    response = Client().post("/admin/login/", {"username": "owner", "password": "correct horse"})
    assert response.status_code == 429


def test_unknown_and_known_user_take_the_same_time(people):
    """With the hasher of production; interleaved, so that a busy machine troubles both alike."""
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    with override_settings(PASSWORD_HASHERS=PBKDF2, AXES_FAILURE_LIMIT=10_000):
        people.reader.set_password("correct horse")
        people.reader.save()
        client = Client()
        for _ in range(ROUNDS):
            for kind, name in (("known", "reader"), ("unknown", "nobody-here")):
                started = time.process_time()
                attempt(client, name, "wrong")
                seconds[kind].append(time.process_time() - started)
    known, unknown = (statistics.median(values) for values in seconds.values())
    assert known == pytest.approx(unknown, rel=0.05), seconds


def test_a_person_sees_their_sessions_and_ends_one(people):
    here, there = Client(), Client(headers={"User-Agent": "The other browser"})
    for client in (here, there):
        attempt(client, "reader", "correct horse")
    page = here.get("/sessions/").content.decode()
    assert "The other browser" in page
    other = SignIn.objects.get(agent="The other browser")
    assert Client().post(f"/sessions/{other.pk}/end/").status_code == 302  # to the sign-in page
    assert here.post(f"/sessions/{other.pk}/end/").status_code == 302
    assert there.get("/")["Location"].startswith("/login/")
    assert here.get("/").status_code == 200
    assert not Session.objects.filter(pk=other.session_key).exists()


def test_a_session_of_somebody_else_cannot_be_ended(people):
    theirs, mine = Client(), Client()
    attempt(theirs, "owner", "correct horse")
    attempt(mine, "reader", "correct horse")
    found = SignIn.objects.get(user=people.owner)
    assert mine.post(f"/sessions/{found.pk}/end/").status_code == 404
    assert theirs.get("/").status_code == 200


def test_all_others_are_ended_at_once(people):
    clients = [Client() for _ in range(3)]
    for client in clients:
        attempt(client, "reader", "correct horse")
    clients[0].post("/sessions/others/end/")
    assert [client.get("/").status_code for client in clients] == [200, 302, 302]
