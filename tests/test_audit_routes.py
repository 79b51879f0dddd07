"""Every route leaves its event, or is known to need none. What was refused leaves one too."""

import pytest

from knowledge.models import AuditEvent
from tests.test_routes import ROUTES, call, fill, outcome, targets  # noqa: F401 - targets is a fixture

# Nothing of a matter is told by these.
NEED_NONE = {
    "login/": "a form; what is sent by it is recorded as a sign-in or a refusal",
    "login/second/": "a form; what is sent by it is recorded as a sign-in or a refusal",
    "sessions/confirm/": "a form; a wrong answer is recorded as a refusal",
    "factors/": "one's own second factors",
    "factors/app/": "a form; setting up is recorded",
    "factors/key/": "a form; adding is recorded",
    "health/": "names nothing",
    "": "the names of one's own matters",
    "tokens/": "one's own tokens",
    "sessions/": "where one is signed in",
    "api/v1/tokens": "one's own tokens",
    "api/v1/": "no page",
    "api/v1/docs": "the description of the API",
    "api/v1/openapi.json": "the description of the API",
    "api/v1/health": "names nothing",
    "api/v1/roles": "the same for everybody",
    "api/v1/groups": "the groups of the firm",
    "api/v1/sessions": "where one is signed in",
    "api/v1/matters": "the names of one's own matters",
}


def acts() -> list[str]:
    return list(AuditEvent.objects.order_by("sequence").values_list("act", flat=True))


@pytest.mark.parametrize(
    ("key", "method"), [(key, method) for key in ROUTES for method in ROUTES[key].methods]
)
def test_each_route_leaves_its_event_or_needs_none(people, targets, key, method):  # noqa: F811
    before = len(acts())
    response = call(people, "owner", method, fill(key, targets["own"]), ROUTES[key].body)
    left = [act for act in acts()[before:] if act not in {"sign-in"}]
    if response.status_code in {400, 409, 410, 422, 503}:
        return  # nothing was read or done
    if method == "GET" and key in NEED_NONE:
        assert left == []
    else:
        assert left, (response.status_code, outcome(response))
        if "<uuid" in key and left[-1] != "denied":
            event = AuditEvent.objects.latest("sequence")
            assert event.matter_id == targets["own"]["matter_id"]
            assert not event.subject.startswith("route:")  # it says what was read, not only how


@pytest.mark.parametrize(
    ("key", "method", "body"),
    [
        ("runs/<uuid:run_id>/table/", "GET", {}),
        ("api/v1/runs/<uuid:run_id>/table", "GET", {}),
        ("api/v1/matters/<uuid:matter_id>/searches/report", "POST", {"terms": ["payment"]}),
    ],
)
def test_each_table_that_goes_out_is_an_export(people, targets, key, method, body):  # noqa: F811
    assert call(people, "owner", method, fill(key, targets["own"]), body).status_code == 200
    assert acts()[-1] == "export"


@pytest.mark.parametrize("key", [key for key in ROUTES if "<uuid" in key])
def test_each_refusal_leaves_one_event(people, targets, key):  # noqa: F811
    route = ROUTES[key]
    before = len(acts())
    call(people, "outsider", route.methods[0], fill(key, targets["own"]), route.body)
    assert [act for act in acts()[before:] if act != "sign-in"] == ["denied"]
