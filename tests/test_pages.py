"""The pages, through the front door: what each person sees and may do."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from knowledge import documents
from knowledge.models import Answer, Document, Job, Matter, Membership, Role, Version
from tests.conftest import People


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def owner(people: People) -> Client:
    return signed_in(people.owner)


@pytest.fixture
def reader(people: People) -> Client:
    return signed_in(people.reader)


def url(name: str, row, query: str = "") -> str:
    return reverse(name, args=[row.pk]) + query


def upload(client: Client, matter: Matter, names: dict[str, bytes], **more):
    files = [SimpleUploadedFile(name.rsplit("/", 1)[-1], content) for name, content in names.items()]
    return client.post(
        url("documents", matter), {"files": files, "paths": list(names)}, headers=more.get("headers", {})
    )


JSON = {"Accept": "application/json"}


def test_without_signing_in_every_page_leads_to_the_sign_in_page(client, people):
    response = client.get(url("matter", people.matter))
    assert response.status_code == 302
    assert response["Location"].startswith("/login/?next=/matters/")
    assert "User name" in text(client.get("/login/"))


def test_signing_in_leads_to_ones_matters(client, people):
    response = client.post("/login/", {"username": "owner", "password": "correct horse"}, follow=True)
    assert "Harbour dispute" in text(response)
    assert "Other people" not in text(response)


def test_the_list_of_matters_counts_documents_and_answers_each_by_itself(reader, people):
    Document.objects.bulk_create(Document(matter=people.matter, path=f"{n}.txt") for n in range(3))
    Answer.objects.bulk_create(
        Answer(matter=people.matter, asker=people.reader, question="When?") for _ in range(2)
    )
    assert "3 documents · 2 answers" in text(reader.get("/"))


def test_a_wrong_password_is_told_without_saying_which_part_was_wrong(client, people):
    response = client.post("/login/", {"username": "owner", "password": "wrong"})
    assert "do not fit together" in text(response)


def test_health_is_public_and_names_nothing(client, db):
    response = client.get("/health/")
    answer = response.json()
    assert answer["database"] is True
    assert set(answer) == {"status", "database", "broker", "index"}
    assert response["Cache-Control"] == "no-store, private"


def test_who_opens_a_matter_manages_it(owner, people):
    response = owner.post("/", {"name": "  Quay lease  "}, follow=True)
    assert "Quay lease" in text(response)
    matter = Matter.objects.get(name="Quay lease")
    assert Membership.objects.get(matter=matter, user=people.owner).role == Role.MANAGER


def test_a_matter_needs_a_name(owner):
    response = owner.post("/", {"name": "  "})
    assert response.status_code == 422
    assert "Give the matter a name." in text(response)


def test_the_outsider_sees_the_same_page_as_for_what_does_not_exist(people):
    outsider = signed_in(people.outsider)
    forbidden = outsider.get(url("matter", people.matter))
    missing = outsider.get("/matters/00000000-0000-4000-8000-000000000000/")
    assert forbidden.status_code == missing.status_code == 404
    assert forbidden.content == missing.content
    assert "Harbour" not in text(forbidden)


def test_a_reader_is_offered_nothing_that_readers_may_not_do(reader, people):
    page = text(reader.get(url("matter", people.matter)))
    assert "Ask these documents" in page
    assert "Add documents" not in page
    assert "Let in" not in page


def test_each_file_of_an_upload_has_its_own_outcome(owner, people):
    files = {"Letters/one.txt": b"One.", "Letters/empty.txt": b"", "two.txt": b"Two."}
    outcomes = upload(owner, people.matter, files, headers=JSON).json()["files"]
    assert [outcome["kind"] for outcome in outcomes] == ["queued", "rejected", "queued"]
    assert outcomes[1]["detail"] == "The file is empty."
    assert set(Document.objects.values_list("path", flat=True)) == {"Letters/one.txt", "two.txt"}
    assert Job.objects.count() == 2


def test_the_same_file_again_is_told_and_a_changed_one_is_a_new_version(owner, people):
    upload(owner, people.matter, {"a.txt": b"First."})
    [again] = upload(owner, people.matter, {"a.txt": b"First."}, headers=JSON).json()["files"]
    [changed] = upload(owner, people.matter, {"a.txt": b"Second."}, headers=JSON).json()["files"]
    assert again["kind"] == "unchanged"
    assert changed == {"name": "a.txt", "kind": "queued", "detail": "Queued as version 2."}


def test_an_upload_without_javascript_ends_on_a_page_that_tells_each_outcome(owner, people):
    page = text(upload(owner, people.matter, {"a.txt": b"A.", "b.txt": b""}))
    assert "Queued." in page
    assert "Not taken in: The file is empty." in page


def test_an_upload_without_a_file_says_so(owner, people):
    response = owner.post(url("documents", people.matter))
    assert response.status_code == 422
    assert "No file was chosen." in text(response)


def test_a_reader_may_not_upload(reader, people):
    response = upload(reader, people.matter, {"a.txt": b"A."})
    assert response.status_code == 403
    assert "You may not do this" in text(response)
    assert not Document.objects.exists()


def test_folder_names_that_climb_are_made_harmless(owner, people):
    upload(owner, people.matter, {"../../etc/passwd": b"x"})
    assert Document.objects.get().path == "etc/passwd"


def make(people: People, path: str, state: str = "searchable", **more) -> Document:
    document = Document.objects.create(matter=people.matter, path=path, parent=more.pop("parent", None))
    version = Version.objects.create(
        document=document, number=1, sha256="0" * 64, size=1, state=state, **more
    )
    Job.objects.create(
        version=version,
        matter=version.document.matter,
        state="running",
        stage="embedding",
        progress=3,
        total=4,
    )
    return document


def test_the_list_renews_itself_only_while_something_is_being_worked_on(reader, people):
    document = make(people, "a.txt", "processing")
    listed = text(reader.get(url("documents", people.matter)))
    assert "every 2s" in listed
    assert "embedding 75 %" in listed
    document.versions.update(state="searchable")
    assert "every 2s" not in text(reader.get(url("documents", people.matter)))


def test_a_failed_document_says_why_and_only_managers_may_retry(owner, reader, people):
    document = make(people, "locked.pdf", "failed", note="The file is encrypted.")
    assert "The file is encrypted." in text(reader.get(url("documents", people.matter)))
    assert "Try again" not in text(reader.get(url("documents", people.matter)))
    assert "Try again" in text(owner.get(url("documents", people.matter)))
    assert reader.post(url("document_retry", document)).status_code == 403
    owner.post(url("document_retry", document))
    assert document.versions.get().state == Version.State.WAITING


def test_a_document_that_did_not_fail_is_not_queued_again(owner, people):
    document = make(people, "a.txt")
    page = text(owner.post(url("document_retry", document), follow=True))
    assert "Only a failed or cancelled document can be tried again." in page
    assert document.versions.get().state == Version.State.SEARCHABLE


def test_attachments_are_listed_under_what_they_came_in(reader, people):
    mail = make(people, "mail.eml")
    make(people, "mail.eml-copy.txt")  # sorts between the two by name
    make(people, "mail.eml/scan.pdf", parent=mail)
    listed = text(reader.get(url("documents", people.matter)))
    names = [">mail.eml<", ">scan.pdf<", ">mail.eml-copy.txt<"]
    places = [listed.index(name) for name in names]
    assert places == sorted(places)
    assert "depth-1" in listed


def test_the_list_is_filtered_by_name_and_state(reader, people):
    make(people, "invoice 1.pdf")
    make(people, "invoice 2.pdf", "failed")
    make(people, "letter.pdf", "failed")
    listed = text(reader.get(url("documents", people.matter, "?name=INVOICE&state=failed")))
    assert "invoice 2.pdf" in listed
    assert "invoice 1.pdf" not in listed
    assert "letter.pdf" not in listed
    assert "No document fits" in text(reader.get(url("matter", people.matter, "?name=zebra")))


def test_a_long_list_comes_in_pages_of_a_hundred(reader, people):
    for number in range(101):
        make(people, f"{number:03d}.txt")
    first = text(reader.get(url("matter", people.matter)))
    second = text(reader.get(url("matter", people.matter, "?page=2")))
    assert "099.txt" in first
    assert "100.txt" not in first
    assert "100.txt" in second
    assert "101–101 of 101" in second


def test_names_of_files_are_escaped(owner, people):
    make(people, "<script>alert(1)</script>.txt", "failed", note="<img src=x>")
    page = text(owner.get(url("matter", people.matter)))
    assert "<script>alert" not in page
    assert "<img" not in page


def test_deleting_asks_first(owner, people):
    mail = make(people, "mail.eml")
    make(people, "mail.eml/scan.pdf", parent=mail)
    asked = text(owner.post(url("document_delete", mail)))
    assert "Delete “mail.eml”?" in asked
    assert "mail.eml/scan.pdf" in asked
    assert Document.objects.count() == 2
    told = text(owner.post(url("document_delete", mail), {"confirmed": "1"}, follow=True))
    assert "“mail.eml” was deleted." in told
    assert not Document.objects.exists()


def test_members_are_let_in_changed_and_taken_out(owner, people):
    members = url("members", people.matter)
    owner.post(members, {"username": "outsider", "role": Role.READER})
    row = Membership.objects.filter(matter=people.matter, user=people.outsider)
    assert row.get().role == Role.READER
    owner.post(members, {"username": "outsider", "role": Role.MEMBER})
    assert row.get().role == Role.MEMBER
    owner.post(members, {"username": "outsider", "remove": "1"})
    assert not row.exists()


def test_a_user_name_that_nobody_has_is_told(owner, people):
    page = text(owner.post(url("members", people.matter), {"username": "nobody", "role": 1}, follow=True))
    assert "There is no user “nobody”." in page


def test_the_last_manager_cannot_be_removed(owner, people):
    page = text(owner.post(url("members", people.matter), {"username": "owner", "remove": "1"}, follow=True))
    assert "A matter needs a manager: name another one first." in page


def test_a_manager_who_leaves_is_led_back_to_their_matters(owner, people):
    owner.post(url("members", people.matter), {"username": "reader", "role": Role.MANAGER})
    response = owner.post(url("members", people.matter), {"username": "owner", "remove": "1"})
    assert response["Location"] == "/"


def test_only_managers_change_who_is_in(reader, people):
    response = reader.post(url("members", people.matter), {"username": "reader", "role": Role.MANAGER})
    assert response.status_code == 403


@pytest.mark.parametrize("name", ["document_delete", "document_retry"])
def test_deeds_are_posts(owner, people, name):
    assert owner.get(url(name, make(people, "a.txt"))).status_code == 405


def test_forms_need_their_token(people):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.owner)
    response = client.post("/", {"name": "Forged"})
    assert response.status_code == 403
    assert "This form has expired" in text(response)
    assert not Matter.objects.filter(name="Forged").exists()


def test_no_page_allows_foreign_or_inline_code(owner, people):
    policy = owner.get(url("matter", people.matter))["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    page = text(owner.get(url("matter", people.matter)))
    assert "https://" not in page
    assert " style=" not in page
    assert "<script>" not in page


def test_the_admin_shows_no_documents(client, people):
    people.owner.is_staff = people.owner.is_superuser = True
    people.owner.save()
    client.force_login(people.owner)
    page = text(client.get("/admin/"))
    assert "/admin/knowledge/matter/" in page
    assert "/admin/knowledge/document/" not in page
    assert client.get(f"/admin/knowledge/matter/{people.matter.pk}/change/").status_code == 200


def test_documents_added_by_others_calls_are_listed_too(reader, people):
    documents.add(people.matter, "from the API.txt", [b"text"], people.owner)
    assert "from the API.txt" in text(reader.get(url("matter", people.matter)))
