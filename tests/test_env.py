"""Settings refuse nonsense, naming the variable."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from knowledge import env, settings


@pytest.mark.parametrize(("value", "expected"), [("yes", True), ("0", False), ("", True), (" On ", True)])
def test_booleans_are_read(monkeypatch, value, expected):
    monkeypatch.setenv("PINCITE_X", value)
    assert env.boolean("PINCITE_X", default=True) is expected


def test_a_boolean_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("PINCITE_X", "maybe")
    with pytest.raises(ImproperlyConfigured, match="PINCITE_X"):
        env.boolean("PINCITE_X", default=True)


@pytest.mark.parametrize("value", ["twelve", "0", "101", "1.5"])
def test_numbers_out_of_range_are_refused(monkeypatch, value):
    monkeypatch.setenv("PINCITE_X", value)
    with pytest.raises(ImproperlyConfigured, match="PINCITE_X"):
        env.integer("PINCITE_X", 5, least=1, most=100)


def test_a_choice_is_one_of_those_there_are(monkeypatch):
    monkeypatch.setenv("PINCITE_X", "float32")
    assert env.one_of("PINCITE_X", {"float32", "bfloat16"}) == "float32"
    monkeypatch.setenv("PINCITE_X", "float8")
    with pytest.raises(ImproperlyConfigured, match="PINCITE_X"):
        env.one_of("PINCITE_X", {"float32", "bfloat16"})


def test_addresses_need_a_known_scheme(monkeypatch):
    monkeypatch.setenv("QDRANT_X", "localhost:6333")
    with pytest.raises(ImproperlyConfigured, match="QDRANT_X"):
        env.url("QDRANT_X", {"http", "https"})


@pytest.mark.parametrize("issuer", ["http://login.firm.example", "ldap://firm.example", "login.firm.example"])
def test_single_sign_on_needs_a_safe_way_to_the_provider(monkeypatch, issuer):
    monkeypatch.setenv("OIDC_ISSUER", issuer)
    monkeypatch.setenv("OIDC_CLIENT_ID", "pincite")
    with pytest.raises(ImproperlyConfigured, match="OIDC_ISSUER"):
        settings._issuer()


def test_single_sign_on_needs_a_name_of_its_own_there(monkeypatch):
    monkeypatch.setenv("OIDC_ISSUER", "https://login.firm.example")
    with pytest.raises(ImproperlyConfigured, match="OIDC_CLIENT_ID"):
        settings._issuer()
    monkeypatch.setenv("OIDC_CLIENT_ID", "pincite")
    assert settings._issuer() == "https://login.firm.example"
    monkeypatch.setenv("OIDC_ISSUER", "http://127.0.0.1:8080")
    assert settings._issuer() == "http://127.0.0.1:8080"
