"""An encrypted PDF asks for its password, and is read when it gets it."""

import pytest
from django.test import Client
from fpdf import FPDF

from knowledge import documents
from knowledge.models import Document, Job, Version
from tests.conftest import make_people
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db(transaction=True)


def locked() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.text(50, 50, "The rent is 2400 a month.")
    pdf.set_encryption(owner_password="owner", user_password="sesame")
    return bytes(pdf.output())


@pytest.fixture
def people():
    return make_people()


@pytest.fixture
def document(people) -> Document:
    document = documents.add(people.matter, "lease.pdf", [locked()], people.owner).document
    documents.add(people.matter, "broken.pdf", [b"%PDF-1.7 broken"], people.owner)
    work_off()
    return document


def newest(document: Document) -> Version:
    return Version.objects.get(document=document)


def test_the_page_and_the_api_ask_for_the_password_and_find_it_by_its_reason(people, document):
    page = Client()
    page.force_login(people.owner)
    shown = page.get(f"/matters/{people.matter.pk}/?reason=encrypted").content.decode()
    assert f'id="p-{document.pk}"' in shown
    assert "broken.pdf" not in shown
    api = Client(headers=people.token(people.owner))
    found = api.get(f"/api/v1/matters/{people.matter.pk}/documents", {"reason": "encrypted"}).json()
    assert [(row["path"], row["reason"]) for row in found] == [("lease.pdf", "encrypted")]


def test_a_wrong_password_is_said_and_the_right_one_reads_it(people, document):
    page = Client()
    page.force_login(people.owner)
    page.post(f"/documents/{document.pk}/retry/", {"password": "wrong"})
    work_off()
    assert "does not open" in newest(document).note
    api = Client(headers=people.token(people.owner))
    assert api.post(f"/api/v1/documents/{document.pk}/retry", {"password": "sesame"}).status_code == 202
    work_off()
    version = newest(document)
    assert (version.state, version.reason) == (Version.State.SEARCHABLE, "")
    assert "The rent is 2400" in version.text()
    assert not Job.objects.exclude(password="").exists()
