"""Every route × (manager, reader, outsider, anonymous) × (own, foreign object).

A route that nobody classified fails the first test. What a person may not see looks like what is not there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from knowledge import blobs, saved, uploads, walls
from knowledge.models import Answer, Delivery, Document, Job, Page, Run, Verdict, Version, Webhook
from tests.conftest import People


@dataclass(frozen=True)
class Route:
    """How a route is reached, and who may use it.

    `needs`: "public", "off" (by the tests' settings), "signed in", "auditor", "manager somewhere", or the
    role in the matter of the object that the path names.
    """

    needs: str
    methods: tuple[str, ...] = ("GET",)
    body: dict[str, object] = field(default_factory=dict)


READER, MEMBER, MANAGER = "reader", "member", "manager"
MAKER = "maker"  # who made it, and nobody else
WALL = {"user": "reader", "reason": "Acted for the other side."}
HOOK = {"url": "https://hooks.example.com/", "events": ["document.done"]}
CHAT = {"model": f"matter:{uuid4()}", "messages": [{"role": "user", "content": "Who pays?"}]}
QUESTION = {"question": "Who pays?"}
RUN = {"kind": "every", **QUESTION}

BOTH = ("GET", "POST")
PAGES = {
    # Without OIDC_ISSUER; with it, and more of second factors: test_oidc, test_factors.
    **dict.fromkeys(["login/oidc/", "login/oidc/callback/"], Route("off")),
    **dict.fromkeys(["login/second/", "factors/"], Route("signed in")),
    **dict.fromkeys(["sessions/confirm/", "factors/app/", "factors/key/"], Route("signed in", BOTH)),
    "factors/codes/": Route("signed in", ("POST",)),
    "factors/<int:factor_id>/remove/": Route("nobody", ("POST",)),
    "login/": Route("public"),
    "logout/": Route("signed in", ("POST",)),
    "health/": Route("public"),
    "tokens/": Route("signed in", ("GET", "POST"), {"name": "script", "rights": ["read"]}),
    "tokens/<int:token_id>/revoke/": Route("nobody", ("POST",)),  # but for its own person: test_tokens
    "sessions/": Route("signed in"),
    "sessions/others/end/": Route("signed in", ("POST",)),
    "sessions/<int:sign_in_id>/end/": Route("nobody", ("POST",)),  # but for its own person: test_sign_in
    "audit/": Route("auditor"),
    "audit/export.csv": Route("auditor"),
    "audit/export.jsonl": Route("auditor"),
    "": Route("signed in", ("GET", "POST"), {"name": "New matter"}),
    "matters/<uuid:matter_id>/": Route(READER),
    "matters/<uuid:matter_id>/documents/": Route(READER),
    "POST matters/<uuid:matter_id>/documents/": Route(MEMBER, ("POST",)),
    "matters/<uuid:matter_id>/retry-failed/": Route(MANAGER, ("POST",)),
    "matters/<uuid:matter_id>/pause/": Route(MANAGER, ("POST",)),
    "matters/<uuid:matter_id>/warm/": Route(MEMBER, ("POST",)),
    "matters/<uuid:matter_id>/search/": Route(READER, body={"q": "payment"}),
    "matters/<uuid:matter_id>/search/report/": Route(READER, ("GET", "POST"), {"q": "payment"}),
    "matters/<uuid:matter_id>/searches/": Route(READER, ("POST",), {"name": "fees", "q": "payment"}),
    "searches/<uuid:search_id>/delete/": Route(MAKER, ("POST",)),
    "matters/<uuid:matter_id>/ask/": Route(READER, ("POST",), QUESTION),
    "matters/<uuid:matter_id>/members/": Route(MANAGER, ("POST",), {"username": "reader", "role": 1}),
    "matters/<uuid:matter_id>/access/": Route(MANAGER, body={"person": "reader"}),
    "matters/<uuid:matter_id>/groups/": Route(MANAGER, ("POST",), {"group": "Litigation", "role": 1}),
    "matters/<uuid:matter_id>/walls/": Route(MANAGER, ("POST",), WALL),
    "matters/<uuid:matter_id>/hold/": Route(MANAGER, ("POST",), {"reason": "Litigation is expected."}),
    "walls/<uuid:wall_id>/lift/": Route(MANAGER, ("POST",)),
    "matters/<uuid:matter_id>/webhooks/": Route(MANAGER, ("GET", "POST"), HOOK),
    "webhooks/<uuid:webhook_id>/delete/": Route(MANAGER, ("POST",)),
    "deliveries/<uuid:delivery_id>/replay/": Route(MANAGER, ("POST",)),
    "matters/<uuid:matter_id>/runs/": Route(READER),
    "matters/<uuid:matter_id>/runs/estimate/": Route(READER, ("POST",), RUN),
    "matters/<uuid:matter_id>/runs/begin/": Route(READER, ("POST",), RUN),
    "runs/<uuid:run_id>/": Route(READER),
    "runs/<uuid:run_id>/body/": Route(READER),
    "runs/<uuid:run_id>/table/": Route(READER),
    "runs/<uuid:run_id>/stream/": Route(READER),
    "runs/<uuid:run_id>/control/": Route(MANAGER, ("POST",)),  # or who asked
    "runs/<uuid:run_id>/verdicts/<uuid:document_id>/": Route(MEMBER, ("POST",), {"value": "yes"}),
    "answers/<uuid:answer_id>/": Route(READER, ("GET", "POST")),
    "answers/<uuid:answer_id>/body/": Route(READER),
    "answers/<uuid:answer_id>/stream/": Route(READER),
    "documents/<uuid:document_id>/": Route(READER),
    "documents/<uuid:document_id>/file/": Route(READER),
    "documents/<uuid:document_id>/picture/": Route(READER, body={"page": "1"}),
    "documents/<uuid:document_id>/reading/": Route(READER, ("POST",), {"kind": "full"}),
    "documents/<uuid:document_id>/retry/": Route(MANAGER, ("POST",)),
    "documents/<uuid:document_id>/cancel/": Route(MANAGER, ("POST",)),
    "documents/<uuid:document_id>/delete/": Route(MANAGER, ("POST",)),
}
API = {
    "api/v1/": Route("nobody"),  # the framework's own root, which answers 404
    "api/v1/docs": Route("public"),
    "api/v1/openapi.json": Route("public"),
    "api/v1/tokens": Route("signed in", ("GET", "POST"), {"name": "x", "rights": ["read"]}),
    "DELETE api/v1/tokens/<int:token_id>": Route("nobody", ("DELETE",)),
    "api/v1/roles": Route("signed in"),
    "api/v1/groups": Route("manager somewhere"),
    "api/v1/sessions": Route("signed in", ("GET", "DELETE")),
    "DELETE api/v1/sessions/<int:sign_in_id>": Route("nobody", ("DELETE",)),  # test_api_access
    "api/v1/audit": Route("auditor"),
    "api/v1/audit/export": Route("auditor"),
    "api/v1/matters": Route("signed in", ("GET", "POST"), {"name": "New matter"}),
    "api/v1/matters/<uuid:matter_id>": Route(READER),
    "api/v1/matters/<uuid:matter_id>/access": Route(MANAGER, body={"username": "reader"}),
    "api/v1/matters/<uuid:matter_id>/documents": Route(READER),
    "POST api/v1/matters/<uuid:matter_id>/documents": Route(MEMBER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/warm": Route(MEMBER, ("POST",)),
    "PATCH api/v1/matters/<uuid:matter_id>": Route(MANAGER, ("PATCH",), {"name": "Renamed"}),
    "DELETE api/v1/matters/<uuid:matter_id>": Route(MANAGER, ("DELETE",)),
    "api/v1/matters/<uuid:matter_id>/members": Route(READER),
    "PUT api/v1/matters/<uuid:matter_id>/members/<username>": Route(MANAGER, ("PUT",), {"role": "reader"}),
    "DELETE api/v1/matters/<uuid:matter_id>/members/<username>": Route(MANAGER, ("DELETE",)),
    "api/v1/matters/<uuid:matter_id>/groups": Route(MANAGER),
    "PUT api/v1/matters/<uuid:matter_id>/groups/<path:group>": Route(MANAGER, ("PUT",), {"role": "reader"}),
    "DELETE api/v1/matters/<uuid:matter_id>/groups/<path:group>": Route(MANAGER, ("DELETE",)),
    "api/v1/matters/<uuid:matter_id>/walls": Route(
        MANAGER, ("GET", "POST"), {"username": "reader", "reason": "Acted for the other side."}
    ),
    "api/v1/walls/<uuid:wall_id>/lift": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/holds": Route(MANAGER, ("GET", "POST"), {"reason": "Litigation."}),
    "api/v1/matters/<uuid:matter_id>/holds/lift": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/jobs": Route(READER),
    "api/v1/matters/<uuid:matter_id>/usage": Route(READER),
    "api/v1/matters/<uuid:matter_id>/answers": Route(READER),
    "api/v1/matters/<uuid:matter_id>/export": Route(READER),
    "api/v1/jobs/<uuid:job_id>": Route(READER),
    "api/v1/jobs/<uuid:job_id>/retry": Route(MANAGER, ("POST",)),
    "api/v1/jobs/<uuid:job_id>/cancel": Route(MANAGER, ("POST",)),
    "api/v1/documents/<uuid:document_id>/versions": Route(READER),
    "api/v1/versions/<uuid:version_id>": Route(READER),
    "api/v1/versions/<uuid:version_id>/pages": Route(READER),
    "api/v1/versions/<uuid:version_id>/pages/<number>": Route(READER),
    "api/v1/versions/<uuid:version_id>/pages/<number>/picture": Route(READER),
    "api/v1/versions/<uuid:version_id>/file": Route(READER),
    "api/v1/health": Route("public"),
    "api/v1/answers/<uuid:answer_id>/events": Route(READER),
    "api/v1/models": Route("signed in"),
    "api/v1/chat/completions": Route("nobody", ("POST",), CHAT),  # the matter is in the body: test_chat
    "v1/models": Route("signed in"),
    "v1/chat/completions": Route("nobody", ("POST",), CHAT),
    "api/v1/matters/<uuid:matter_id>/webhooks": Route(MANAGER),
    "POST api/v1/matters/<uuid:matter_id>/webhooks": Route(MANAGER, ("POST",), HOOK),
    "api/v1/webhooks/<uuid:webhook_id>": Route(MANAGER),
    "DELETE api/v1/webhooks/<uuid:webhook_id>": Route(MANAGER, ("DELETE",)),
    "api/v1/webhooks/<uuid:webhook_id>/deliveries": Route(MANAGER),
    "api/v1/deliveries/<uuid:delivery_id>/replay": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/pause": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/resume": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/retry-failed": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/uploads": Route(READER),
    "POST api/v1/matters/<uuid:matter_id>/uploads": Route(MEMBER, ("POST",)),
    "api/v1/uploads/<uuid:upload_id>": Route(READER),
    "api/v1/uploads/<uuid:upload_id>/report": Route(READER),
    "api/v1/uploads/<uuid:upload_id>/files": Route(MEMBER, ("POST",), {"path": "a.txt", "size": 4}),
    "api/v1/transfers/<uuid:transfer_id>": Route(MEMBER),
    "PATCH api/v1/transfers/<uuid:transfer_id>": Route(MEMBER, ("PATCH",)),
    "DELETE api/v1/transfers/<uuid:transfer_id>": Route(MEMBER, ("DELETE",)),
    "api/v1/documents/<uuid:document_id>/reading": Route(READER),
    "PUT api/v1/documents/<uuid:document_id>/reading": Route(READER, ("PUT",), {"kind": "never"}),
    "DELETE api/v1/documents/<uuid:document_id>/reading": Route(READER, ("DELETE",)),
    "api/v1/matters/<uuid:matter_id>/reading": Route(READER),
    "api/v1/documents/<uuid:document_id>/cancel": Route(MANAGER, ("POST",)),
    "api/v1/matters/<uuid:matter_id>/search": Route(READER, body={"q": "payment"}),
    "api/v1/documents/<uuid:document_id>/like": Route(READER),
    "api/v1/matters/<uuid:matter_id>/searches": Route(
        READER, ("GET", "POST"), {"name": "fees", "query": "payment"}
    ),
    "api/v1/matters/<uuid:matter_id>/searches/report": Route(READER, ("POST",), {"terms": ["payment"]}),
    "DELETE api/v1/searches/<uuid:search_id>": Route(MAKER, ("DELETE",)),
    "api/v1/matters/<uuid:matter_id>/ask": Route(READER, ("POST",), QUESTION),
    "api/v1/documents/<uuid:document_id>": Route(READER),
    "DELETE api/v1/documents/<uuid:document_id>": Route(MANAGER, ("DELETE",)),
    "api/v1/documents/<uuid:document_id>/retry": Route(MANAGER, ("POST",)),
    "api/v1/answers/<uuid:answer_id>": Route(READER),
    "api/v1/matters/<uuid:matter_id>/runs": Route(READER, ("GET", "POST"), RUN),
    "api/v1/matters/<uuid:matter_id>/runs/estimate": Route(READER, ("POST",), RUN),
    "api/v1/runs/<uuid:run_id>": Route(READER),
    "api/v1/runs/<uuid:run_id>/verdicts": Route(READER),
    "api/v1/runs/<uuid:run_id>/table": Route(READER),
    "api/v1/runs/<uuid:run_id>/pause": Route(MANAGER, ("POST",)),  # or who asked, as the next two
    "api/v1/runs/<uuid:run_id>/resume": Route(MANAGER, ("POST",)),
    "api/v1/runs/<uuid:run_id>/cancel": Route(MANAGER, ("POST",)),
    "api/v1/runs/<uuid:run_id>/verdicts/<uuid:document_id>": Route(MEMBER, ("PUT",), {"verdict": "yes"}),
}
ROUTES = {**PAGES, **API}
KINDS = """
    matter_id document_id answer_id upload_id transfer_id wall_id version_id job_id webhook_id delivery_id
    run_id search_id
    """.split()
STAFF = "admin/"  # Django's admin: staff only, people and matters, no documents

ROLES = {"owner": MANAGER, "member": MEMBER, "reader": READER, "outsider": None, "anonymous": None}
RANK = {READER: 1, MEMBER: 2, MANAGER: 3}


def paths(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, here)
        else:
            yield here


def probes() -> Iterator[tuple[str, str, str, str]]:
    for key, route in ROUTES.items():
        for method in route.methods:
            for person in ROLES:
                for target in ("own", "foreign", "missing") if "<uuid" in key else ("own",):
                    yield key, method, person, target


def test_every_route_is_classified():
    known = {key.split(" ")[-1] for key in ROUTES}
    found = {path.replace("<uuidstr:", "<uuid:") for path in paths(get_resolver().url_patterns)}
    found = {path for path in found if not path.startswith(STAFF)}
    assert found == known


def test_every_operation_of_the_api_is_classified():
    """By method too: a new DELETE beside a known GET is a new door."""
    from knowledge.api import api

    known = {
        (key.split(" ")[-1].removeprefix("api/v1"), method)
        for key, route in API.items()
        for method in route.methods
    }
    schema = api.get_openapi_schema(path_prefix="/")["paths"]
    offered = {(path, method.upper()) for path, item in schema.items() for method in item}
    plain = {(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path), method) for path, method in known}
    assert offered <= plain
    assert {(path, method) for path, method in plain if "{" in path} <= offered


@pytest.mark.parametrize("person", ["owner", "outsider", "anonymous"])
def test_the_admin_is_for_staff_alone(people, person):
    client = Client()
    if person != "anonymous":
        client.force_login(getattr(people, person))
    for path in (
        "/admin/",
        "/admin/knowledge/matter/",
        f"/admin/knowledge/matter/{people.matter.pk}/change/",
    ):
        response = client.get(path)
        assert response.status_code == 302
        assert "login" in response["Location"]


def test_staff_can_neither_delete_a_matter_in_the_admin_nor_see_its_documents(people):
    staff = User.objects.create_superuser("staff", password="correct horse")
    Document.objects.create(matter=people.matter, path="very-secret-letter.txt")
    client = Client()
    client.force_login(staff)
    path = f"/admin/knowledge/matter/{people.matter.pk}"
    assert client.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
    assert "very-secret-letter" not in client.get(f"{path}/change/").content.decode()
    assert client.get(f"/matters/{people.matter.pk}/").status_code == 404


@pytest.fixture
def targets(people: People) -> dict[str, dict[str, object]]:
    """The ids that the paths take: of our matter, of another's, and of nothing at all."""
    return {
        "own": objects(people.matter, people.owner),
        "foreign": objects(people.foreign, people.outsider),
        "missing": {name: uuid4() for name in KINDS},
    }


def objects(matter, user) -> dict[str, object]:
    document = Document.objects.create(matter=matter, path="letter.txt")
    made = {"state": Version.State.FAILED, "media_type": "application/pdf", "created_by": user}
    version = Version.objects.create(document=document, number=1, sha256="0" * 64, size=1, **made)
    Page.objects.create(version=version, number=1, label="1", kind=Page.Kind.TEXT, start=0, text="Dear Sirs")
    stored = blobs.path(matter.pk, version.sha256)
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(b"Dear Sirs")
    answer = Answer.objects.create(
        matter=matter, asker=user, question="Who pays?", state=Answer.State.NOTHING
    )
    run = Run.objects.create(matter=matter, asker=user, kind=Run.Kind.EVERY, question="Who pays?")
    Verdict.objects.create(run=run, document=document, version=version, number=1)
    upload = uploads.begin(matter, user)
    transfer = uploads.announce(upload, "b.txt", 4)
    group, _ = Group.objects.get_or_create(name="Litigation")
    hook = Webhook.objects.create(matter=matter, by=user, url="https://hooks.example.com/")
    return {
        "webhook_id": hook.pk,
        "delivery_id": Delivery.objects.create(webhook=hook, event="document.done", subject=document.pk).pk,
        "matter_id": matter.pk,
        "document_id": document.pk,
        "answer_id": answer.pk,
        "run_id": run.pk,
        "upload_id": upload.pk,
        "transfer_id": transfer.pk,
        "search_id": saved.keep(user, matter, "Fees", "fee").pk,
        "version_id": version.pk,
        "job_id": Job.objects.create(matter=matter, version=version, state=Job.State.FAILED).pk,
        "wall_id": walls.raise_wall(matter, group, walls.Terms("Acted for the other side."), user).pk,
    }


@pytest.mark.parametrize(("key", "method", "person", "target"), list(probes()))
def test_each_person_gets_what_the_class_says(people, targets, key, method, person, target):
    response = call(people, person, method, fill(key, targets[target]), ROUTES[key].body)
    assert outcome(response) == expected(key, person, target)


def call(people: People, person: str, method: str, path: str, body: dict[str, object]):
    client = Client(raise_request_exception=False)
    headers = {}
    user = getattr(people, person, None)
    if path.startswith(("/api/", "/v1/")):
        headers = people.token(user) if user else {}
        if method != "GET" and "documents" not in path.split("/")[-1]:
            return client.generic(
                method, path, json_bytes(body), content_type="application/json", headers=headers
            )
    elif user:
        client.force_login(user)
    if method == "POST" and path.endswith(("documents", "documents/")):
        file = SimpleUploadedFile("probe.txt", b"probe")
        body = {"file": file} if path.startswith("/api/") else {"files": file}
    return getattr(client, method.lower())(path, body, headers=headers)


def json_bytes(body: dict[str, object]) -> bytes:
    import json

    return json.dumps(body).encode()


def fill(key: str, ids: dict[str, object]) -> str:
    path = "/" + key.split(" ")[-1] + ("?offset=0" if key.startswith("PATCH") else "")
    for name, value in ids.items():
        path = path.replace(f"<uuid:{name}>", str(value))
    path = path.replace("<username>", "reader").replace("<number>", "1").replace("<path:group>", "Litigation")
    return re.sub(r"<int:\w+>", "0", path)  # nobody's: whose they are is told in test_tokens and test_sign_in


def outcome(response) -> str:
    if response.status_code == 401 or (response.status_code == 302 and "/login/" in response["Location"]):
        return "sign in"
    known = {404: "not found", 403: "forbidden", 405: "no such method"}
    # A conflict, or a body that does not fit, is an answer to somebody who may ask.
    is_answer = response.status_code < 400 or response.status_code in {409, 410, 422}
    return known.get(response.status_code, "allowed" if is_answer else f"error {response.status_code}")


def expected(key: str, person: str, target: str) -> str:
    needs = ROUTES[key].needs
    if needs in {"public", "off"}:
        return "allowed" if needs == "public" else "not found"
    if person == "anonymous" and key != "api/v1/":
        return "sign in"
    if needs == "signed in":
        return "sign in" if key == "logout/" else "allowed"  # signing out ends at the sign-in page
    role = ROLES[person] if needs != "nobody" else None
    if needs == "manager somewhere":
        role, needs = MANAGER if person == "outsider" else role, MANAGER
    if person == "outsider" and target == "foreign" and needs != "nobody":
        return "allowed"  # the outsider manages the other matter
    is_others = needs == MAKER and person != "owner"
    if needs == "auditor" or target != "own" or role is None or is_others:  # nobody here is an auditor
        return "not found"
    return "allowed" if needs == MAKER or RANK[role] >= RANK[needs] else "forbidden"


def test_missing_and_forbidden_look_the_same(people, targets):
    for key in (each for each in ROUTES if "<uuid" in each):
        method = ROUTES[key].methods[0]
        foreign, missing = (
            call(people, "owner", method, fill(key, targets[target]), ROUTES[key].body)
            for target in ("foreign", "missing")
        )
        assert foreign.status_code == missing.status_code == 404, key
        assert body_of(foreign, targets["foreign"]) == body_of(missing, targets["missing"]), key


def body_of(response, ids: dict[str, object]) -> bytes:
    content = response.content
    for value in ids.values():
        content = content.replace(str(value).encode(), b"id")
    return content
