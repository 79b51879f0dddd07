"""What is relaxed is strict again afterwards, whatever happens in between."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from knowledge import durability

pytestmark = pytest.mark.django_db(transaction=True)
STRICT = {"sqlite": "2", "postgresql": "on"}
RELAXED = {"sqlite": "1", "postgresql": "on"}


def mode() -> str:
    asked = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}
    with connection.cursor() as cursor:
        cursor.execute(asked[connection.vendor])
        return str(cursor.fetchone()[0])


def test_commits_are_strict_but_in_the_block():
    assert mode() == STRICT[connection.vendor]
    with durability.relaxed():
        Group.objects.create(name="one")
        assert mode() == RELAXED[connection.vendor]
    assert mode() == STRICT[connection.vendor]


def test_a_failure_makes_them_strict_too():
    with pytest.raises(ValueError, match="no"), durability.relaxed():
        raise ValueError("no")
    assert mode() == STRICT[connection.vendor]


def test_a_connection_that_was_given_back_is_strict():
    with durability.relaxed():
        connection.close()
        assert mode() == STRICT[connection.vendor]
    assert mode() == STRICT[connection.vendor]


def test_inside_of_a_transaction_nothing_changes():
    with transaction.atomic(), durability.relaxed():
        assert mode() == STRICT[connection.vendor]
