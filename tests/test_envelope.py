"""What every operation of the API has: pieces, idempotency keys, ETags, problems, a description."""

import re
from uuid import uuid4

import jsonschema
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from knowledge import matters
from knowledge.api import api as rest
from knowledge.api import idempotency
from knowledge.models import Document, Matter, Membership, Replay, Role, Upload

PROBLEM = "application/problem+json"
PROBLEM_FIELDS = {"type", "title", "status", "detail"}


@pytest.fixture
def api(people):
    return Client(headers=people.token(people.owner), raise_request_exception=False)


@pytest.fixture(scope="module")
def schema() -> dict:
    return rest.get_openapi_schema(path_prefix="/api/v1/")


def operations(schema):
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


# --- Lists in pieces -----------------------------------------------------------------------------------


def followed(api: Client, path: str, between=lambda: None) -> list[dict]:
    """All pieces of a list, by its links."""
    found = []
    while path:
        response = api.get(path)
        found += response.json()
        between()
        links = re.findall(r'<([^>]+)>; rel="next"', response.headers.get("Link", ""))
        path = links[0].removeprefix("http://testserver") if links else ""
    return found


def test_a_list_comes_in_pieces_each_row_once(api, people):
    for number in range(25):
        matters.create(f"Matter {number % 5}", people.owner)  # many of the same name
    rows = followed(api, "/api/v1/matters?limit=4")
    assert len(rows) == len({row["id"] for row in rows}) == 26
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)


def test_rows_that_come_in_between_move_nothing(api, people):
    wanted = {str(matters.create(f"Matter {number}", people.owner).pk) for number in range(9)}
    rows = followed(api, "/api/v1/matters?limit=2", lambda: matters.create("Aaa, before all", people.owner))
    ids = [row["id"] for row in rows]
    assert wanted <= set(ids)
    assert len(ids) == len(set(ids))


def test_newest_first_goes_on_too(api, people):
    for _ in range(7):
        api.post(f"/api/v1/matters/{people.matter.pk}/uploads")
    rows = followed(api, f"/api/v1/matters/{people.matter.pk}/uploads?limit=3")
    assert [row["created"] for row in rows] == sorted((row["created"] for row in rows), reverse=True)
    assert len({row["id"] for row in rows}) == 7


@pytest.mark.parametrize("cursor", ["x", "W10:abc", "%00", "é" * 10])
def test_a_made_up_cursor_is_a_problem(api, cursor):
    response = api.get(f"/api/v1/matters?cursor={cursor}")
    assert (response.status_code, response["Content-Type"]) == (422, PROBLEM)


def test_a_cursor_is_good_for_its_own_list_alone(api, people):
    for _ in range(3):
        api.post(f"/api/v1/matters/{people.matter.pk}/uploads")
    link = api.get(f"/api/v1/matters/{people.matter.pk}/uploads?limit=1")["Link"]
    cursor = re.search(r"cursor=([^>&]+)", link)[1]
    assert api.get(f"/api/v1/matters?cursor={cursor}").status_code == 422


# --- Idempotency keys ----------------------------------------------------------------------------------


def keyed(key: str = "k-1") -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": key}}


def test_the_same_call_with_the_same_key_is_done_once(api):
    first, again = (
        api.post("/api/v1/matters", {"name": "New"}, "application/json", **keyed()) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again["Idempotency-Replayed"] == "true"
    assert Matter.objects.filter(name="New").count() == 1


def test_another_body_with_the_same_key_is_refused(api):
    api.post("/api/v1/matters", {"name": "New"}, "application/json", **keyed())
    other = api.post("/api/v1/matters", {"name": "Other"}, "application/json", **keyed())
    assert (other.status_code, other["Content-Type"]) == (422, PROBLEM)
    assert not Matter.objects.filter(name="Other").exists()


def test_another_key_another_route_and_another_token_are_other_calls(api, people):
    for key in ("k-1", "k-2"):
        api.post("/api/v1/matters", {"name": "New"}, "application/json", **keyed(key))
    Client(headers=people.token(people.owner)).post(
        "/api/v1/matters", {"name": "New"}, "application/json", **keyed()
    )
    for matter in Matter.objects.filter(name="New")[:2]:
        api.post(f"/api/v1/matters/{matter.pk}/uploads", **keyed())
    assert Matter.objects.filter(name="New").count() == 3
    assert Upload.objects.count() == 2


def test_a_problem_is_given_again_too(api, people):
    path = f"/api/v1/matters/{people.matter.pk}/documents"
    for _ in range(2):
        response = api.post(path, {"file": SimpleUploadedFile("a.txt", b"")}, **keyed())
        assert response.status_code == 422
    assert response["Idempotency-Replayed"] == "true"


def test_an_upload_with_a_key_is_compared_by_its_bytes(api, people):
    path = f"/api/v1/matters/{people.matter.pk}/documents"
    contents = (b"one", b"one", b"two")
    responses = [api.post(path, {"file": SimpleUploadedFile("a.txt", each)}, **keyed()) for each in contents]
    assert [response.status_code for response in responses] == [202, 202, 422]
    assert responses[1].json()["is_new"] is True  # as the first time


def test_a_call_that_is_still_at_work_is_not_done_twice(api, people):
    api.post("/api/v1/matters", {"name": "New"}, "application/json", **keyed())
    Replay.objects.update(status=None)
    again = api.post("/api/v1/matters", {"name": "New"}, "application/json", **keyed())
    assert again.status_code == 409


def test_who_was_taken_out_gets_nothing_again(api, people):
    path = f"/api/v1/matters/{people.matter.pk}/uploads"
    assert api.post(path, **keyed()).status_code == 201
    Membership.objects.filter(user=people.owner).delete()
    assert api.post(path, **keyed()).status_code == 404


def test_a_response_is_given_again_only_to_who_still_has_the_role_that_it_needed(api, people):
    path, wall = (
        f"/api/v1/matters/{people.matter.pk}/walls",
        {"username": "reader", "reason": "Acted for Crane."},
    )
    first, again = (api.post(path, wall, "application/json", **keyed()) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    question = f"/api/v1/matters/{people.matter.pk}/ask"
    asked = api.post(question, {"question": "What is the rent?"}, "application/json", **keyed())
    Membership.objects.filter(user=people.owner).update(role=Role.READER)
    assert api.post(path, wall, "application/json", **keyed()).status_code == 403
    same = api.post(question, {"question": "What is the rent?"}, "application/json", **keyed())
    assert (asked.status_code, same.content) == (200, asked.content)


def test_what_was_refused_may_be_tried_again(people):
    path = f"/api/v1/matters/{people.matter.pk}/pause"
    api = Client(headers=people.token(people.reader))
    assert api.post(path, **keyed()).status_code == 403
    Membership.objects.filter(user=people.reader).update(role=Role.MANAGER)
    assert api.post(path, **keyed()).status_code == 200


def test_what_was_told_of_a_document_goes_with_it(api, people):
    path = f"/api/v1/matters/{people.matter.pk}/documents"
    document = api.post(path, {"file": SimpleUploadedFile("a.txt", b"one")}, **keyed()).json()["document"]
    assert Replay.objects.count() == 1
    api.delete(f"/api/v1/documents/{document['id']}")
    assert not Replay.objects.exists()


@pytest.fixture
def chat(people) -> dict:
    """A question in the OpenAI format: its matter is in the body."""
    asked = [{"role": "user", "content": "What is the rent?"}]
    return {"model": f"matter:{people.matter.pk}", "messages": asked}


def test_a_chat_is_not_given_again_to_who_was_taken_out(api, people, chat):
    path = "/api/v1/chat/completions"
    first, again = (api.post(path, chat, "application/json", **keyed()) for _ in range(2))
    assert (first.status_code, again.content) == (200, first.content)
    assert again["Idempotency-Replayed"] == "true"
    Membership.objects.filter(user=people.owner).delete()
    assert api.post(path, chat, "application/json", **keyed()).status_code == 404


def test_a_kept_chat_goes_with_its_matter(api, people, chat):
    api.post("/api/v1/chat/completions", chat, "application/json", **keyed())
    assert Replay.objects.get().matter == people.matter
    people.matter.delete()
    assert not Replay.objects.exists()


def test_keys_are_forgotten_after_a_day(api):
    api.post("/api/v1/matters", {"name": "New"}, "application/json", **keyed())
    assert idempotency.sweep() == 0
    Replay.objects.update(created="2020-01-01T00:00:00Z")
    assert idempotency.sweep() == 1


# --- ETags ---------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_sent_again(api, people):
    path = f"/api/v1/matters/{people.matter.pk}"
    tag = api.get(path)["ETag"]
    same = api.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    assert same["Cache-Control"] == "no-store, private"
    api.post(f"{path}/pause")
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_tag_shows_nothing_to_who_may_not_see(api, people):
    tag = api.get(f"/api/v1/matters/{people.matter.pk}")["ETag"]
    outsider = Client(headers={**people.token(people.outsider), "If-None-Match": tag})
    assert outsider.get(f"/api/v1/matters/{people.matter.pk}").status_code == 404


# --- Problems ------------------------------------------------------------------------------------------


def test_every_error_is_a_problem(api, people):
    path = f"/api/v1/matters/{people.matter.pk}"
    errors = {
        "no token": (Client().get("/api/v1/matters"), 401),
        "unknown route": (api.get("/api/v1/nothing"), 404),
        "unknown route, no token": (Client().get("/api/v1/nothing/here"), 404),
        "not an id": (api.get("/api/v1/matters/17"), 404),
        "root": (api.get("/api/v1/"), 404),
        "unknown object": (api.get(f"/api/v1/matters/{uuid4()}"), 404),
        "method": (api.put(path, {}, "application/json"), 405),
        "not JSON": (api.post(f"{path}/ask", "{", "application/json"), 400),
        "form for JSON": (api.post(f"{path}/ask", {"question": "x"}), 415),
        "text for JSON": (api.post(f"{path}/ask", "x", "text/plain"), 415),
        "wrong type": (api.post(f"{path}/ask", {"question": 1}, "application/json"), 422),
        "NUL": (api.post(f"{path}/ask", {"question": "a\x00b"}, "application/json"), 422),
        "limit": (api.get("/api/v1/matters?limit=0"), 422),
    }
    for name, (response, status) in errors.items():
        assert (response.status_code, response["Content-Type"]) == (status, PROBLEM), name
        assert response.json().keys() >= PROBLEM_FIELDS, name
        assert response.json()["status"] == status, name
        assert int(response["Content-Length"]) == len(response.content), name
    assert "POST" not in errors["method"][0]["Allow"]


def test_a_bug_of_ours_is_a_problem_that_says_nothing(api, monkeypatch):
    def broken(_matter):
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(Matter, "documents", property(broken))
    response = api.get("/api/v1/matters")
    assert (response.status_code, response["Content-Type"]) == (500, PROBLEM)
    assert b"swordfish" not in response.content


def test_unknown_and_forbidden_are_one_answer(api, people):
    foreign = Document.objects.create(matter=people.foreign, path="a.txt")
    unknown, forbidden = (api.get(f"/api/v1/documents/{pk}") for pk in (uuid4(), foreign.pk))
    assert (unknown.status_code, unknown.content) == (forbidden.status_code, forbidden.content)
    same = {name: unknown[name] for name in unknown.headers if not name.startswith("RateLimit")}
    assert same == {name: forbidden[name] for name in forbidden.headers if not name.startswith("RateLimit")}


# --- The description -----------------------------------------------------------------------------------


def test_every_operation_is_described(schema):
    assert schema["openapi"].startswith("3.1")
    for name, operation in operations(schema):
        assert operation["summary"], name
        assert operation["tags"], name
        assert operation["operationId"], name
        if "security" in operation:
            assert {401, 403, 429} <= set(operation["responses"]), name
        if "{" in name:
            assert 404 in operation["responses"], name


def test_what_health_says_when_it_is_bad_is_no_problem_to_wait_for(schema):
    bad = schema["paths"]["/api/v1/health"]["get"]["responses"][503]
    assert bad["content"]["application/json"]["schema"]["$ref"].endswith("/HealthOut")
    assert "headers" not in bad


def test_every_body_and_every_answer_has_an_example_that_fits(schema):
    count = 0
    for name, operation in operations(schema):
        for content in contents(operation):
            count += 1
            assert "example" in content, name
            if isinstance(content["example"], dict | list):
                whole = {**content["schema"], "components": schema["components"]}
                jsonschema.Draft202012Validator(whole).validate(content["example"])
        for parameter in operation["parameters"]:
            assert "example" in parameter, (name, parameter["name"])
    assert count > 100


def contents(operation):
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from body.get("content", {}).values()


def test_errors_are_described_as_problems(schema):
    for name, operation in operations(schema):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and name != "GET /api/v1/health":  # it says the same in both cases
                assert list(response["content"]) == [PROBLEM], (name, status)


def test_operation_ids_are_unique(schema):
    ids = [operation["operationId"] for _, operation in operations(schema)]
    assert len(ids) == len(set(ids))
