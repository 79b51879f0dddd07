"""Signing in: five failures lock a name, whoever asks; people see where they are signed in and end it."""

import re
import time
from typing import Any, ClassVar

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client, override_settings

from knowledge import factors
from knowledge.models import AuditEvent, SignIn
from tests.test_factors import code_at


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


def test_the_admin_has_no_sign_in_of_its_own(people):
    User.objects.filter(pk=people.owner.pk).update(is_staff=True)
    client = Client()
    response = client.post("/admin/login/", {"username": "owner", "password": "correct horse"})
    assert response["Location"].startswith("/login/?next=")
    assert "_auth_user_id" not in client.session


class CountingHasher(PBKDF2PasswordHasher):
    """The hasher of production with fewer rounds, which counts those it really does."""

    iterations = 1000
    done: ClassVar[list[int]] = []

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        self.done.append(iterations or self.iterations)
        return super().encode(password, salt, iterations)


def work_of(name: str, password: str) -> tuple[int, list[str], str]:
    """What a refusal costs, hashing rounds and database statements, and the page it ends with."""
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(re.sub(r"s\d+_x\d+", "savepoint", sql))
        return execute(sql, *rest)

    CountingHasher.done.clear()
    with connection.execute_wrapper(note):
        page = attempt(Client(), name, password).content.decode()
    page = re.sub(r'(name="csrfmiddlewaretoken" value=)"\w+"', r"\1", page)
    return sum(CountingHasher.done), statements, page.replace(name, "NAME")


@pytest.mark.parametrize("kind", ["known", "closed", "without a password", "hashed long ago", "with an app"])
def test_a_refusal_costs_and_says_the_same_whether_the_name_is_known_or_not(people, kind):
    """So nobody can tell them apart by time; `make bench ONLY=signing_in` measures the time itself."""
    with override_settings(PASSWORD_HASHERS=["tests.test_sign_in.CountingHasher"]):
        person = people.reader
        person.set_password("correct horse")
        if kind == "closed":
            person.is_active = False
        elif kind == "without a password":
            person.set_unusable_password()
        elif kind == "hashed long ago":
            person.password = CountingHasher().encode("correct horse", "a" * 22, 300)
        elif kind == "with an app":
            secret = factors.new_secret()
            assert factors.add_app(person, secret, code_at(secret, time.time()))
        person.save()
        for _ in range(2):  # the first failure of a name makes a row, the next ones change it
            known = work_of("reader", "wrong")
            assert known == work_of("nobody-here", "wrong")
        assert known[0] == CountingHasher.iterations
        assert len(known[1]) > 5
        if kind == "closed":  # the right password opens nothing and tells nothing
            assert work_of("reader", "correct horse") == work_of("nobody-here", "correct horse")


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
