"""Tricks across a wall by what is not an id: headers, tags, keys of calls, file names, cells."""

import csv
import io

import pytest
from django.test import Client

from knowledge import blobs, documents
from knowledge.audit import export
from knowledge.models import AuditEvent, Document, Matter
from knowledge.sheets import plain

pytestmark = pytest.mark.django_db
FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "host=evil.example;proto=https",
    "X-Original-URL": "/admin/",
    "X-Rewrite-URL": "/admin/",
    "X-HTTP-Method-Override": "DELETE",
}


def test_no_header_of_a_client_changes_host_path_or_method(people):
    Matter.objects.create(name="Another").memberships.create(user=people.owner, role=3)
    api = Client(headers=people.token(people.owner) | FORWARDED)
    response = api.get("/api/v1/matters?limit=1")
    assert response.status_code == 200
    assert response["Link"].startswith("<http://testserver/api/v1/matters?")
    assert api.post(f"/api/v1/matters/{people.matter.pk}").status_code == 405
    assert Client(headers=FORWARDED).get("/").headers["Location"].startswith("/login/")


def test_a_foreign_host_is_refused(people):
    assert (
        Client(headers=people.token(people.owner))
        .get("/api/v1/matters", HTTP_HOST="evil.example")
        .status_code
        == 400
    )


def test_the_tag_of_somebody_elses_answer_opens_nothing(people):
    path = f"/api/v1/matters/{people.matter.pk}"
    tag = Client(headers=people.token(people.owner)).get(path)["ETag"]
    for person, status in ((people.owner, 304), (people.outsider, 404)):
        for name in ("If-None-Match", "If-Match"):
            client = Client(headers=people.token(person) | {name: tag})
            assert client.get(path).status_code == (200 if (name, status) == ("If-Match", 304) else status)


def test_the_key_of_somebody_elses_call_tells_nothing(people):
    path, key = f"/api/v1/matters/{people.matter.pk}/holds", {"Idempotency-Key": "the same"}
    body = {"reason": "planted reason"}
    for person, status in ((people.owner, {200, 201}), (people.outsider, {404}), (people.reader, {403})):
        client = Client(headers=people.token(person) | key)
        response = client.post(path, body, content_type="application/json")
        assert response.status_code in status
        assert (b"planted" in response.content) is (person == people.owner)


@pytest.mark.parametrize(
    "name", ['a"; filename="evil.html', "a\r\nSet-Cookie: x=1", "ä\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe"]
)
def test_no_file_name_leaves_its_header(people, name):
    documents.add(people.matter, "plain.txt", [b"The rent is due."], people.owner)
    document = Document.objects.get()
    Document.objects.update(path=name)
    version = document.versions.get()
    assert blobs.path(people.matter.pk, version.sha256).is_file()
    client = Client()
    client.force_login(people.owner)
    response = client.get(f"/documents/{document.pk}/file/")
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment")
    assert "Set-Cookie" not in response.headers
    assert "\r" not in response["Content-Disposition"]
    assert response["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_calculated(people, cell):
    assert plain(cell).startswith("'")
    event = AuditEvent(sequence=1, person=cell, act="read", details={}, at=people.matter.created)
    buffer = io.StringIO()
    csv.writer(buffer).writerow(export._row(event, frozenset(), {}))
    assert cell not in next(csv.reader(io.StringIO(buffer.getvalue(), newline="")))
