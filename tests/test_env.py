"""Settings refuse nonsense, naming the variable."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from knowledge import env


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


def test_addresses_need_a_known_scheme(monkeypatch):
    monkeypatch.setenv("QDRANT_X", "localhost:6333")
    with pytest.raises(ImproperlyConfigured, match="QDRANT_X"):
        env.url("QDRANT_X", {"http", "https"})
