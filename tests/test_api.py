"""The REST API through the front door: uploads, status, problems, tokens."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from knowledge import jobs
from knowledge.models import ApiToken, Document, Version

PROBLEM = "application/problem+json"


@pytest.fixture
def api(people):
    """A client of the owner."""
    return Client(headers=people.token(people.owner))


def upload(api: Client, matter, name: str, content: bytes, **more):
    file = SimpleUploadedFile(name, content)
    return api.post(f"/api/v1/matters/{matter.pk}/documents", {"file": file, **more})


def test_an_upload_is_accepted_and_its_status_can_be_asked_for(api, people):
    response = upload(api, people.matter, "letter.txt", b"Dear Sirs")
    assert response.status_code == 202
    document = response.json()["document"]
    assert (document["path"], document["state"], document["version"]) == ("letter.txt", "waiting", 1)
    assert api.get(f"/api/v1/documents/{document['id']}").json().items() >= document.items()
    assert api.get(f"/api/v1/matters/{people.matter.pk}/documents").json() == [document]


def test_a_path_can_be_given_beside_the_file(api, people):
    response = upload(api, people.matter, "a.txt", b"text", path="exhibits/../A 1.txt")
    assert response.json()["document"]["path"] == "exhibits/A 1.txt"


def test_the_same_bytes_again_are_not_new(api, people):
    upload(api, people.matter, "letter.txt", b"Dear Sirs")
    assert upload(api, people.matter, "letter.txt", b"Dear Sirs").json()["is_new"] is False


def test_an_empty_file_is_a_problem(api, people):
    response = upload(api, people.matter, "empty.txt", b"")
    assert response.status_code == 422
    assert response["Content-Type"] == PROBLEM
    assert response.json()["detail"] == "The file is empty."


def test_a_file_over_the_limit_is_a_problem(api, people, settings):
    settings.MAX_FILE_BYTES = 1024 * 1024
    response = upload(api, people.matter, "big.txt", b"x" * (1024 * 1024 + 1))
    assert response.status_code == 422
    assert "limit of 1 MB" in response.json()["detail"]


def test_an_upload_without_a_file_says_so(api, people):
    response = api.post(f"/api/v1/matters/{people.matter.pk}/documents", {})
    assert response.status_code == 422
    assert response["Content-Type"] == PROBLEM
    assert response.json()["errors"][0]["pointer"].endswith("file")


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001])
def test_a_question_that_is_empty_or_too_long_is_a_problem(api, people, question):
    path = f"/api/v1/matters/{people.matter.pk}/ask"
    response = api.post(path, {"question": question}, content_type="application/json")
    assert response.status_code == 422
    assert response["Content-Type"] == PROBLEM


def test_an_unknown_matter_is_a_problem(api):
    response = api.get("/api/v1/matters/00000000-0000-4000-8000-000000000000/search", {"q": "x"})
    assert response.status_code == 404
    assert response["Content-Type"] == PROBLEM


@pytest.mark.parametrize("header", ["", "Bearer pincite_wrong", "Bearer", "Basic YTpi"])
def test_a_wrong_token_is_turned_away(people, header):
    response = Client().get("/api/v1/matters", headers={"Authorization": header} if header else {})
    assert response.status_code == 401
    assert response["Content-Type"] == PROBLEM
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_stored_only_as_a_digest(people):
    token = ApiToken.issue(people.owner, "script")
    row = ApiToken.objects.get(name="script")
    assert token not in str(row.__dict__)


def test_a_revoked_token_is_worth_nothing(people, api):
    call_command("token", people.owner.username, "test", "--revoke", stdout=io.StringIO())
    assert api.get("/api/v1/matters").status_code == 401


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 201])
def test_a_matter_needs_a_name(api, name):
    assert api.post("/api/v1/matters", {"name": name}, content_type="application/json").status_code == 422


def test_the_token_of_a_person_who_left_is_worth_nothing(people, api):
    people.owner.is_active = False
    people.owner.save()
    assert api.get("/api/v1/matters").status_code == 401


def test_a_session_needs_its_csrf_token(people):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.owner)
    response = client.post("/api/v1/matters", {"name": "x"}, content_type="application/json")
    assert response.status_code == 403


def test_only_a_failed_document_is_tried_again(api, people):
    document = upload(api, people.matter, "letter.txt", b"Dear Sirs").json()["document"]
    path = f"/api/v1/documents/{document['id']}/retry"
    assert api.post(path).status_code == 409
    jobs.fail(jobs.claim(Version.objects.get().job.pk), "The file is damaged.")
    assert api.get(f"/api/v1/documents/{document['id']}").json()["note"] == "The file is damaged."
    assert api.post(path).json()["state"] == "waiting"


def test_a_deleted_document_is_gone(api, people):
    document = upload(api, people.matter, "letter.txt", b"Dear Sirs").json()["document"]
    assert api.delete(f"/api/v1/documents/{document['id']}").status_code == 204
    assert api.get(f"/api/v1/documents/{document['id']}").status_code == 404
    assert not Document.objects.exists()


def test_the_schema_names_every_operation(api):
    schema = api.get("/api/v1/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len(operations) >= 11
    assert all(operation["summary"] for operation in operations)
