"""Tokens: what they may be used for, how long, where, and how often."""

import io
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from knowledge import matters
from knowledge.api import api
from knowledge.models import Answer, ApiToken, AuditEvent, Right
from knowledge.models.token import digest
from tests.test_factors import enter


def client(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def made(user, **more) -> Client:
    return client(ApiToken.issue(user, "script", **more))


def test_a_token_does_only_what_it_has_the_right_to(people):
    path = f"/api/v1/matters/{people.matter.pk}"
    calls = {
        Right.READ: lambda each: each.get(path),
        Right.ASK: lambda each: each.post(f"{path}/ask", {"question": ""}, content_type="application/json"),
        Right.UPLOAD: lambda each: each.post(f"{path}/uploads"),
        Right.MANAGE: lambda each: each.post(f"{path}/pause"),
    }
    for held in Right:
        caller = made(people.owner, rights=[held])
        refused = {right for right, call in calls.items() if call(caller).status_code == 403}
        assert refused == set(Right) - {held}


def test_the_missing_right_is_named(people):
    response = made(people.owner, rights=["read"]).post("/api/v1/matters", {"name": "x"}, "application/json")
    assert response.status_code == 403
    assert 'error="insufficient_scope", scope="manage"' in response["WWW-Authenticate"]


def test_the_right_is_asked_before_anything_is_looked_up(people):
    """So that a token without it learns nothing: own, foreign and missing are all 403."""
    caller = made(people.owner, rights=["ask"])
    for pk in (people.matter.pk, people.foreign.pk, "00000000-0000-4000-8000-000000000000"):
        assert caller.get(f"/api/v1/matters/{pk}").status_code == 403


def test_every_operation_says_which_right_it_needs():
    paths = api.get_openapi_schema(path_prefix="")["paths"]
    operations = [operation for item in paths.values() for operation in item.values()]
    assert {operation["x-right"] for operation in operations if "security" in operation} == set(Right.values)


def test_who_may_only_read_has_no_answer_written(people):
    """The events of an answer are read with GET, but reading them starts the generator."""
    ready = Answer.objects.create(matter=people.matter, asker=people.owner, question="Who pays?")
    path = f"/api/v1/answers/{ready.pk}"
    caller = made(people.owner, rights=["read"])
    assert caller.get(path).status_code == 200
    assert caller.get(f"{path}/events").status_code == 403
    assert Answer.objects.get().state == Answer.State.READY
    assert made(people.owner, rights=["ask"]).get(f"{path}/events").status_code == 200


def test_an_expired_token_is_worth_nothing(people):
    assert (
        made(people.owner, expires=timezone.now() + timedelta(hours=1)).get("/api/v1/matters").status_code
        == 200
    )
    assert (
        made(people.owner, expires=timezone.now() - timedelta(seconds=1)).get("/api/v1/matters").status_code
        == 401
    )


def test_a_limited_token_reaches_its_matters_alone(people):
    other = matters.create("Second matter", people.owner)
    caller = made(people.owner, matters=[other])
    assert [row["id"] for row in caller.get("/api/v1/matters").json()] == [str(other.pk)]
    assert caller.get(f"/api/v1/matters/{people.matter.pk}").status_code == 404
    assert caller.get(f"/api/v1/matters/{people.matter.pk}/search?q=pay").status_code == 404


def test_a_limit_opens_nothing_that_its_person_may_not_see(people):
    caller = made(people.owner, matters=[people.foreign])
    assert caller.get(f"/api/v1/matters/{people.foreign.pk}").status_code == 404


def test_a_token_whose_matters_are_gone_reaches_nothing(people):
    other = matters.create("Second matter", people.owner)
    caller = made(people.owner, matters=[other])
    other.delete()
    assert caller.get("/api/v1/matters").json() == []


def test_a_limited_token_opens_no_matter(people):
    caller = made(people.owner, matters=[people.matter])
    assert caller.post("/api/v1/matters", {"name": "x"}, "application/json").status_code == 403


def test_calls_are_limited_by_the_minute(people, settings):
    settings.API_CALLS = 3
    until_the_next_minute(3)
    caller = made(people.owner)
    left = [caller.get("/api/v1/matters")["RateLimit"].split(";")[1] for _ in range(3)]
    assert left == ["r=2", "r=1", "r=0"]
    refused = caller.get("/api/v1/matters")
    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert refused["RateLimit-Policy"] == '"token";q=3;w=60'
    assert made(people.owner).get("/api/v1/matters").status_code == 200


def until_the_next_minute(seconds: float) -> None:
    """Wait if this minute ends so soon that the calls would fall into two."""
    if time.time() % 60 > 60 - seconds:
        time.sleep(seconds)


def test_tokens_are_made_listed_and_revoked_over_rest(people):
    caller = made(people.owner)
    body = {"name": "nightly", "rights": ["read"], "matter_ids": [str(people.matter.pk)], "days": 7}
    token = caller.post("/api/v1/tokens", body, "application/json").json()["token"]
    assert client(token).get("/api/v1/matters").status_code == 200
    row = next(row for row in caller.get("/api/v1/tokens").json() if row["name"] == "nightly")
    assert row["rights"] == ["read"]
    assert row["matter_ids"] == [str(people.matter.pk)]
    assert caller.delete(f"/api/v1/tokens/{row['id']}").status_code == 204
    assert client(token).get("/api/v1/matters").status_code == 401


def test_a_token_of_others_is_not_there(people):
    row = ApiToken.objects.get(digest=made(people.outsider) and ApiToken.objects.latest("pk").digest)
    assert made(people.owner).delete(f"/api/v1/tokens/{row.pk}").status_code == 404
    browser = Client()
    browser.force_login(people.owner)
    assert browser.post(f"/tokens/{row.pk}/revoke/").status_code == 404
    assert ApiToken.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    "wish",
    [
        {"rights": ["read", "upload"]},
        {"rights": ["read"], "matter_ids": None},
        {"rights": ["read"], "days": None},
    ],
)
def test_a_token_makes_no_token_that_can_do_more(people, wish):
    soon = timezone.now() + timedelta(days=30)
    caller = made(people.owner, rights=["read", "manage"], matters=[people.matter], expires=soon)
    body = {"name": "more", "rights": ["read"], "days": 7, "matter_ids": [str(people.matter.pk)]}
    assert caller.post("/api/v1/tokens", body, "application/json").status_code == 201
    assert caller.post("/api/v1/tokens", {**body, **wish}, "application/json").status_code == 403


def test_a_token_cannot_name_a_matter_of_others(people):
    body = {"name": "x", "rights": ["read"], "matter_ids": [str(people.foreign.pk)]}
    assert made(people.owner).post("/api/v1/tokens", body, "application/json").status_code == 404


def test_a_token_is_made_by_who_showed_a_moment_ago_that_it_is_them(people):
    """Who finds a browser open takes no key away from it."""
    browser = Client()
    browser.force_login(people.owner)
    form = {"name": "script", "rights": ["read"], "days": "30"}
    assert browser.post("/tokens/", form)["Location"] == "/sessions/confirm/?next=%2Ftokens%2F"
    refused = browser.post("/api/v1/tokens", {"name": "x", "rights": ["read"]}, "application/json")
    assert refused.status_code == 403
    assert "/sessions/confirm/" in refused.json()["detail"]
    assert not ApiToken.objects.exists()
    browser.post("/sessions/confirm/", {"password": "correct horse"})
    assert AuditEvent.objects.latest("sequence").details == {"again by": "password"}
    assert browser.post("/tokens/", form).status_code == 200
    made_there = browser.post("/api/v1/tokens", {"name": "x", "rights": ["read"]}, "application/json")
    assert made_there.status_code == 201


def test_a_limited_token_neither_lists_nor_ends_what_is_not_its_own(people):
    Client().force_login(people.owner)
    session = Client()
    session.force_login(people.owner)
    other = ApiToken.objects.get(digest=digest(ApiToken.issue(people.owner, "other")))
    caller = made(people.owner, matters=[people.matter])
    own = ApiToken.objects.latest("pk")
    sign_in = people.owner.sign_ins.first()
    assert caller.get("/api/v1/sessions").status_code == 403
    assert caller.delete("/api/v1/sessions").status_code == 403
    assert caller.delete(f"/api/v1/sessions/{sign_in.pk}").status_code == 403
    assert [row["id"] for row in caller.get("/api/v1/tokens").json()] == [own.pk]
    for pk in (other.pk, 0):
        assert caller.delete(f"/api/v1/tokens/{pk}").status_code == 403
    assert session.get("/").status_code == 200
    assert caller.delete(f"/api/v1/tokens/{own.pk}").status_code == 204
    assert set(ApiToken.objects.all()) == {other}


def test_the_page_shows_a_new_token_once(people):
    browser = enter("owner")
    form = {"name": "script", "rights": ["read"], "days": "30", "matters": [str(people.matter.pk)]}
    page = browser.post("/tokens/", form).content.decode()
    token = page.split('class="secret">')[1].split("<")[0]
    assert client(token).get(f"/api/v1/matters/{people.matter.pk}").status_code == 200
    again = browser.get("/tokens/").content.decode()
    assert token not in again
    assert "script" in again
    browser.post(f"/tokens/{ApiToken.objects.get().pk}/revoke/")
    assert client(token).get("/api/v1/matters").status_code == 401


def test_the_command_makes_limited_tokens(people):
    out = io.StringIO()
    words = (
        "token",
        "owner",
        "import",
        "--rights",
        "read,upload",
        "--days",
        "7",
        "--matter",
        people.matter.name,
    )
    call_command(*words, stdout=out)
    row = ApiToken.valid(out.getvalue().strip())
    assert (row.rights, row.is_limited, list(row.matters.all())) == (
        ["read", "upload"],
        True,
        [people.matter],
    )
    assert row.expires > timezone.now()
    for wrong in (("--rights", "fly"), ("--matter", "Other people's affairs")):
        with pytest.raises(CommandError):
            call_command("token", "owner", "x", *wrong, stdout=out)
