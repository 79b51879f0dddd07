"""Single sign-on that comes again: what is published is kept, and two windows at once are one person."""

import threading
from types import SimpleNamespace

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from knowledge import oidc, published
from tests.oidc_provider import OTHER_KEY
from tests.test_oidc import go, provider, running, who  # noqa: F401  # fixtures

TOLD = oidc.Told("https://login.firm.example", "r-1", "reader@firm.example", "Rea", "Der")


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(published.time, "monotonic", lambda: now.seconds)
    return now


def asked(provider) -> list[str]:  # noqa: F811
    return [path for path in provider.asked if path not in {"/authorize", "/token", "/userinfo"}]


def test_the_description_and_the_keys_are_asked_for_once_an_hour(people, provider, clock):  # noqa: F811
    for _ in range(3):
        assert go(Client()).status_code == 302
    assert asked(provider) == ["/.well-known/openid-configuration", "/jwks"]
    clock.seconds += published.KEPT_SECONDS
    assert go(Client()).status_code == 302
    assert len(asked(provider)) == 4


def test_a_new_key_is_asked_for_at_once_but_not_more_than_once_a_minute(people, provider, clock):  # noqa: F811
    provider.published = {"kid": "an older one"}
    assert go(Client()).status_code == 403
    provider.published = {}
    assert go(Client()).status_code == 403  # within the minute
    assert asked(provider).count("/jwks") == 1
    clock.seconds += published.AGAIN_SECONDS
    assert go(Client()).status_code == 302
    assert asked(provider).count("/jwks") == 2


def test_a_key_that_is_kept_signs_only_what_it_signed(people, provider):  # noqa: F811
    assert go(Client()).status_code == 302
    provider.key = OTHER_KEY
    assert go(Client()).status_code == 403


def test_a_description_that_does_not_hold_is_not_kept(people, provider):  # noqa: F811
    provider.description = {"issuer": "https://evil.example"}
    assert Client().get("/login/oidc/").status_code == 403
    provider.description = {}
    assert go(Client()).status_code == 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_known", [True, False])
def test_two_first_sign_ins_at_once_are_one_person(settings, is_known):
    settings.OIDC_CREATE_PEOPLE = True
    if is_known:
        User.objects.create_user("reader", email=TOLD.address)
    together, found, wrong = threading.Barrier(4), [], []

    def sign_in() -> None:
        together.wait()
        try:
            found.append(oidc._found(TOLD))
        except Exception as error:  # noqa: BLE001  # told by the test
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=sign_in) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
    assert {person.pk for person in found if person} == {User.objects.get().pk}
    assert len([person for person in found if person]) == 4
    assert SocialAccount.objects.count() == 1
