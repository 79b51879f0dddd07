"""The description of the API against the API: schemathesis calls every operation as it describes itself.

No response is a 5xx, each fits its schema, no operation answers without a token. The long run makes up more
calls for each operation (PINCITE_TEST_EXAMPLES) and adds those at the edges of the schemas.
"""

import json
import os
from collections.abc import Callable

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from hypothesis import HealthCheck, assume, given, settings
from ninja import Schema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests import world
from tests.doors import kind
from tests.probing import named, one_connection, settle

EXAMPLES = int(os.environ.get("PINCITE_TEST_EXAMPLES", "3"))
# Reads in a thread of its own, which does not see what this test has not committed.
IN_A_THREAD = "GET /api/v1/answers/{answer_id}/events"
# Where what is accepted is decided by more than a schema can say. Everything else that fits is accepted.
DECIDED_ELSEWHERE = {
    "POST /api/v1/matters/{matter_id}/walls": "a person or group that there is, not the last manager",
    "POST /api/v1/matters/{matter_id}/webhooks": "an address that leads to a public host",
    "POST /api/v1/matters/{matter_id}/searches/report": "queries that can be read, by the query language",
    "POST /api/v1/matters/{matter_id}/searches": "a query that can be read, by the query language",
    "GET /api/v1/matters/{matter_id}/search": "a query that can be read, by the query language",
    "POST /api/v1/matters/{matter_id}/documents": "a file that is made up as a word is not sent as a file",
    "POST /api/v1/uploads/{upload_id}/files": "a path that is safe in an archive, and not there yet",
}
# Streams are consumed at once here; in service they go through ASGI.
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


@pytest.fixture
def rest(people):
    """The API in this process; as in Django's own client its database connection outlives each call."""
    phases = {"coverage": {"enabled": EXAMPLES > 10}}
    config = schemathesis.Config.from_dict({"phases": phases})
    with one_connection():
        yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application(), config=config)


bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def made_up(schema, call: Callable[[schemathesis.Case], None]) -> dict[str, str]:
    """What went wrong, by operation, when each is called as it may be."""
    wrong = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        run = bounded(given(case=operation.as_strategy())(call))
        try:
            run()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - every finding of every operation is wanted
            wrong[operation.label] = told(error)
    return wrong


def told(error: BaseException) -> str:
    each = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
    return " | ".join(f"{type(one).__name__}: {str(one)[:300]}" for one in each)


@pytest.fixture
def ids(people) -> dict[str, str]:
    """Of one row of each kind in the owner's matter, so that calls come to what they are about."""
    own = world.build(people.matter, people.owner, "word")
    settle(own)
    return {**named(own), "username": people.reader.username}


def test_each_operation_keeps_to_its_description(rest, people, ids):
    """With ids that are there and with any others; what a call changes is taken back."""
    headers = people.token(people.owner)

    def call(case: schemathesis.Case) -> None:
        if case.query:
            case.query.pop("cursor", None)  # is signed
        assume("\\u0000" not in json.dumps(case.body, default=str))  # the one character that no text may hold
        is_open = case.operation.label in DECIDED_ELSEWHERE
        with transaction.atomic():
            unchecked = [positive_data_acceptance] if is_open else []
            case.call_and_validate(headers=headers, excluded_checks=unchecked)
            transaction.set_rollback(True)

    def call_what_is_there(case: schemathesis.Case) -> None:
        if case.operation.label == IN_A_THREAD:
            return
        case.path_parameters = {
            name: ids.get(kind(name), value) for name, value in case.path_parameters.items()
        }
        call(case)

    wrong = made_up(rest, call) | made_up(rest, call_what_is_there)
    print("\n".join(f"{label}: {found}" for label, found in wrong.items()))
    assert wrong == {}


def test_no_two_schemas_have_one_name():
    """One would be described as the other."""
    ours = [each for each in subclasses(Schema) if each.__module__.startswith("knowledge.api")]
    names = [each.__name__ for each in ours if each.__name__ != "Wanted"]  # of queries, which have no name
    assert len(names) > 50
    assert sorted(names) == sorted(set(names))


def subclasses(kind: type) -> list[type]:
    return [found for each in kind.__subclasses__() for found in (each, *subclasses(each))]


def test_without_a_token_nothing_is_told(rest, people):
    statuses = {}

    def call(case: schemathesis.Case) -> None:
        statuses.setdefault(case.operation.label, set()).add(case.call().status_code)

    assert made_up(rest, call) == {}
    public = statuses.pop("GET /api/v1/health")
    assert public <= {200, 503}
    assert len(statuses) > 50
    assert {label: each for label, each in statuses.items() if not each <= {400, 401, 404}} == {}
