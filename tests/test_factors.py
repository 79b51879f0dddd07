"""Second factors: set up, asked for at every door, used once, limited, and demanded where a firm says so."""

import base64
import hmac
import json
import re
import struct
import threading
import time
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import resolve

from knowledge import entrance, factors
from knowledge.middleware import WITHOUT_FACTOR
from knowledge.models import AuditEvent, SignIn
from tests.conftest import make_people
from tests.test_routes import ROUTES, fill, targets  # noqa: F401 - targets is a fixture

PASSWORD = "correct horse"


def code_at(secret: str, moment: float) -> str:
    """RFC 6238, written out once more, so that it is checked against itself by nobody."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", int(moment) // 30), "sha1")
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def enter(name: str, client: Client | None = None, **extra: str) -> Client:
    client = client or Client(**extra)
    client.post("/login/", {"username": name, "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def show(client: Client, code: str):
    return client.post("/login/second/", {"code": code})


def set_up(client: Client, moment: float | None = None) -> tuple[str, list[str]]:
    """The secret of a new app, and the recovery codes that came with it."""
    page = client.get("/factors/app/").content.decode()
    secret = re.search(r'<code class="secret">([\w ]+)</code>', page)[1].replace(" ", "")
    page = client.post("/factors/app/", {"code": code_at(secret, moment or time.time())}).content.decode()
    return secret, re.findall(r"<li><code>(\d+)</code>", page)


@pytest.fixture
def owner(people) -> tuple[str, list[str]]:
    """The owner has an app; its code of this half minute is used up, that of the next one is not."""
    return set_up(enter("owner"))


def next_code(secret: str) -> str:
    return code_at(secret, time.time() + 30)


def events(act: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(act=act).order_by("sequence"))


def test_an_app_is_set_up_only_with_a_code_of_it_and_its_secret_is_sealed(people):
    client = enter("owner")
    assert client.get("/factors/app/").status_code == 200
    assert client.post("/factors/app/", {"code": "000000"}).status_code == 422
    assert not factors.has_any(people.owner)
    secret, codes = set_up(client)
    assert len(codes) == 10
    for row in Authenticator.objects.filter(user=people.owner):
        kept = json.dumps(row.data)
        assert secret not in kept
        assert not any(code in kept for code in codes)
    assert [event.details["added"] for event in events("factor")] == ["authenticator app", "recovery codes"]


def test_a_secret_under_set_up_lies_sealed_and_not_for_long(people, monkeypatch):
    client = enter("owner")

    def shown() -> str:
        page = client.get("/factors/app/").content.decode()
        return re.search(r'<code class="secret">([\w ]+)</code>', page)[1].replace(" ", "")

    secret = shown()
    assert secret not in json.dumps(dict(client.session))
    assert shown() == secret
    session = client.session
    session["pincite.secret"] = {**session["pincite.secret"], "at": int(time.time()) - 601}
    session.save()
    assert client.post("/factors/app/", {"code": code_at(secret, time.time())}).status_code == 422
    assert not factors.has_any(people.owner)
    assert shown() != secret


def test_the_password_alone_opens_nothing_any_more(people, owner):
    client = Client()
    response = client.post("/login/", {"username": "owner", "password": PASSWORD, "next": "/tokens/"})
    assert response["Location"] == "/login/second/"
    assert not is_in(client)
    assert client.get("/api/v1/matters").status_code == 401
    assert show(client, "000000").status_code == 422
    assert not is_in(client)
    assert show(client, next_code(owner[0]))["Location"] == "/tokens/"
    assert is_in(client)
    assert events("sign-in")[-1].details == {"by": "password", "second factor": "authenticator app"}
    assert events("refused")[-1].details == {"second factor": "wrong"}


def test_who_waits_never_shares_a_session_with_who_is_in(people, owner):
    """The key of the session changes: what named it would no longer find it, and nobody could end it."""
    client = enter("reader")
    assert people.reader.sign_ins.open().count() == 1
    enter("owner", client)
    assert not is_in(client)
    assert not SignIn.objects.filter(user=people.reader).exists()
    assert events("sign-out")[-1].person == "reader"
    assert show(client, next_code(owner[0])).status_code == 302
    assert [row.session_key for row in people.owner.sign_ins.open()][:1] == [client.session.session_key]
    people.owner.sign_ins.all()[0].end()
    assert not is_in(client)


def test_a_code_works_once_and_no_older_one_works_after_it(people, owner):
    secret, _ = owner
    code = next_code(secret)
    assert show(enter("owner"), code).status_code == 302
    assert show(enter("owner"), code).status_code == 422
    assert show(enter("owner"), code_at(secret, time.time())).status_code == 422
    assert show(enter("owner"), code_at(secret, time.time() - 30)).status_code == 422


def test_the_code_that_set_up_the_app_does_not_sign_in(people, monkeypatch):
    moment = time.time()
    secret, _ = set_up(enter("owner"), moment)
    assert show(enter("owner"), code_at(secret, moment)).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_with_one_code_one_gets_in():
    make_people()
    secret, _ = set_up(enter("owner"))
    code, clients, got = next_code(secret), [enter("owner") for _ in range(4)], []

    def go(client: Client) -> None:
        got.append(show(client, code).status_code)
        connection.close()

    threads = [threading.Thread(target=go, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [302, 422, 422, 422]


def test_a_recovery_code_works_once(people, owner):
    _, codes = owner
    assert show(enter("owner"), codes[3]).status_code == 302
    assert show(enter("owner"), codes[3]).status_code == 422
    assert factors.codes_left(people.owner) == 9


def test_five_wrong_codes_lock_the_name_on_every_door(people, owner):
    for number in range(5):
        response = show(enter("owner", REMOTE_ADDR=f"10.0.0.{number}"), "000000")
    assert response.status_code == 429
    waiting = Client()
    assert waiting.post("/login/", {"username": "owner", "password": PASSWORD}).status_code == 429


def test_no_code_is_kept_of_those_that_failed(people, owner):
    show(enter("owner"), "123456")
    kept = AccessAttempt.objects.get(username="owner")
    assert "code=" in kept.post_data
    assert "123456" not in kept.post_data


def test_who_waits_already_is_locked_out_too(people, owner):
    waiting = enter("owner")
    for _ in range(5):
        Client().post("/login/", {"username": "owner", "password": "wrong"})
    assert show(waiting, next_code(owner[0])).status_code == 429
    assert not is_in(waiting)


def test_a_right_password_does_not_forgive_wrong_codes(people, owner):
    for _ in range(5):
        response = show(enter("owner"), "000000")  # each begins with the right password
    assert response.status_code == 429


@pytest.mark.parametrize("change", ["closed", "password", "late"])
def test_a_waiting_sign_in_ends_with_the_account_the_password_or_the_time(people, owner, change, monkeypatch):
    client = enter("owner")
    if change == "closed":
        User.objects.filter(pk=people.owner.pk).update(is_active=False)
    elif change == "password":
        people.owner.set_password("another horse")
        people.owner.save()
    else:
        monkeypatch.setattr(entrance, "WAITING_SECONDS", -1)
    assert show(client, next_code(owner[0]))["Location"] == "/login/"
    assert not is_in(client)


def test_the_admin_is_no_way_round(people, owner):
    User.objects.filter(pk=people.owner.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    response = client.post("/admin/login/?next=/admin/", {"username": "owner", "password": PASSWORD})
    assert response["Location"] == "/login/?next=%2Fadmin%2F"
    client.post(response["Location"], {"username": "owner", "password": PASSWORD, "next": "/admin/"})
    assert client.get("/admin/").status_code == 302
    assert show(client, next_code(owner[0]))["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_changes_ask_again_after_a_while_and_by_the_strongest_there_is(people, owner, monkeypatch):
    secret, _ = owner
    row = Authenticator.objects.get(user=people.owner, type="totp")
    client = enter("owner")
    show(client, next_code(secret))
    monkeypatch.setattr(entrance, "RECENT_SECONDS", -1)
    for path in ("/factors/app/", "/factors/key/"):
        assert client.get(path)["Location"].startswith("/sessions/confirm/?next=%2Ffactors")
    for path in ("/factors/codes/", f"/factors/{row.pk}/remove/"):
        assert client.post(path)["Location"] == "/sessions/confirm/?next=%2Ffactors%2F"
    assert Authenticator.objects.filter(pk=row.pk).exists()
    monkeypatch.setattr(entrance, "RECENT_SECONDS", 600)
    assert client.post("/sessions/confirm/", {"password": PASSWORD}).status_code == 422
    assert "second factor" in client.get("/sessions/confirm/").content.decode()


def test_a_session_that_never_showed_the_factor_cannot_take_it_away(people):
    before = enter("owner")
    _, codes = set_up(enter("owner"))
    row = Authenticator.objects.get(user=people.owner, type="totp")
    assert before.post(f"/factors/{row.pk}/remove/")["Location"].startswith("/sessions/confirm/")
    response = before.post("/sessions/confirm/", {"code": codes[0], "next": "/factors/"})
    assert response["Location"] == "/factors/"
    assert before.post(f"/factors/{row.pk}/remove/")["Location"] == "/factors/"
    assert not Authenticator.objects.filter(user=people.owner).exists()  # the codes went with it
    assert events("factor")[-1].details["removed"] == "authenticator app"
    assert is_in(enter("owner"))


def test_the_password_confirms_where_there_is_no_factor_and_wrong_ones_lock(people):
    client = enter("owner")
    session = client.session
    session[entrance.SHOWN] = 0
    session.save()
    assert client.get("/factors/app/").status_code == 302
    elsewhere = {"password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/sessions/confirm/", elsewhere)["Location"] == "/factors/"
    assert client.get("/factors/app/").status_code == 200
    for _ in range(5):
        response = client.post("/sessions/confirm/", {"password": "wrong"})
    assert response.status_code == 429


def test_a_factor_of_somebody_else_cannot_be_removed(people, owner):
    row = Authenticator.objects.get(user=people.owner, type="totp")
    assert enter("reader").post(f"/factors/{row.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(pk=row.pk).exists()


def test_new_recovery_codes_void_the_old_ones(people, owner):
    secret, old = owner
    client = enter("owner")
    show(client, next_code(secret))
    page = client.post("/factors/codes/").content.decode()
    fresh = re.findall(r"<li><code>(\d+)</code>", page)
    assert len(fresh) == 10
    assert show(enter("owner"), old[0]).status_code == 422
    assert show(enter("owner"), fresh[0]).status_code == 302


def test_under_another_secret_key_an_app_fits_no_more(people, owner, settings):
    settings.SECRET_KEY = "another key of the same installation"
    assert show(enter("owner"), next_code(owner[0])).status_code == 422


# --- What a firm may demand ---------------------------------------------------------------------------


@pytest.fixture
def demanded(settings):
    settings.REQUIRE_MFA = True


def test_without_a_factor_nothing_opens_but_setting_one_up(people, demanded, targets):  # noqa: F811
    client = enter("owner")
    for key, route in ROUTES.items():
        path = fill(key, targets["own"])
        if resolve(path.split("?")[0]).view_name in WITHOUT_FACTOR:
            continue
        response = client.generic(route.methods[0], path)
        is_program = path.startswith(("/api/", "/v1/"))
        expected = (403, None) if is_program else (302, "/factors/")
        assert (response.status_code, response.get("Location")) == expected, key
    assert client.get("/admin/")["Location"] == "/factors/"
    assert events("denied")[-1].details == {"route": "admin:index", "needs": "second factor"}
    assert client.get("/api/v1/matters").status_code == 403
    assert client.get("/v1/models").status_code == 403
    assert events("denied")[-1].subject == "route:list_models"
    set_up(client)
    assert is_in(client)
    assert client.get("/api/v1/matters").status_code == 200


def test_a_session_that_has_not_shown_the_factor_shows_it_first(people, demanded):
    before = enter("owner")
    _, codes = set_up(enter("owner"))
    assert before.get("/")["Location"] == "/sessions/confirm/"
    assert before.post("/factors/codes/")["Location"] == "/sessions/confirm/"
    before.post("/sessions/confirm/", {"code": codes[0]})
    assert is_in(before)


def test_tokens_are_not_asked_for_a_factor(people, demanded):
    assert Client().get("/api/v1/matters", headers=people.token(people.owner)).status_code == 200


def test_who_removes_the_last_factor_is_asked_for_a_new_one(people, demanded):
    client = enter("owner")
    set_up(client)
    row = Authenticator.objects.get(user=people.owner, type="totp")
    client.post(f"/factors/{row.pk}/remove/")
    assert client.get("/")["Location"] == "/factors/"


# --- Lost ones ----------------------------------------------------------------------------------------


def test_an_administrator_removes_the_factors_of_somebody_who_lost_them(people, owner):
    User.objects.filter(pk=people.reader.pk).update(is_staff=True, is_superuser=True)
    admin, before = enter("reader"), Client()
    before.force_login(people.owner)
    body = {"action": "remove_factors", "_selected_action": [people.owner.pk]}
    response = admin.post("/admin/auth/user/", body)
    [told] = get_messages(response.wsgi_request)
    assert str(told).startswith("Removed 2. They are signed out everywhere. Their tokens stay")
    assert is_in(enter("owner"))
    assert not before.session.get("_auth_user_id")
    assert events("sign-out")[-1].subject == f"user:{people.owner.pk}"
    told = events("factor")[-1]
    assert (told.person, told.subject) == ("reader", f"user:{people.owner.pk}")


def test_a_command_removes_them_too(people, owner):
    out = StringIO()
    call_command("remove_factors", "owner", stdout=out)
    assert out.getvalue() == "Removed 2.\n"
    assert events("factor")[-1].via == "command"
    with pytest.raises(CommandError):
        call_command("remove_factors", "nobody")
