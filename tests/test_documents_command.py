"""`manage.py documents`: what the page and the API can do with the work of a matter."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from knowledge import documents
from knowledge.models import AuditEvent, Document, Job, Version
from tests.conftest import make_people
from tests.test_generations import work_off
from tests.test_passwords import locked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    people = make_people()
    documents.add(people.matter, "lease.pdf", [locked()], people.owner)
    documents.add(people.matter, "broken.pdf", [b"%PDF-1.7 broken"], people.owner)
    documents.add(people.matter, "good.txt", [b"The quay wall was inspected in June."], people.owner)
    work_off()
    return people


def run(*words: str) -> str:
    output = io.StringIO()
    call_command("documents", *words, stdout=output, stderr=output)
    return output.getvalue()


def state(path: str) -> str:
    return Document.objects.get(path=path).latest.state


def test_documents_are_listed_by_state_and_reason(people):
    name = people.matter.name
    everything = run(people.reader.username, name)
    assert [each in everything for each in ("lease.pdf", "broken.pdf", "good.txt")] == [True] * 3
    assert "3 documents" in everything
    failed = run(people.reader.username, str(people.matter.pk), "--state", "failed")
    assert "good.txt" not in failed
    encrypted = run(people.reader.username, name, "--reason", "encrypted")
    assert encrypted.startswith("failed      lease.pdf: The PDF is protected by a password")
    assert "1 documents" in encrypted


def test_the_password_is_read_and_opens_the_document(people, monkeypatch):
    words = (people.owner.username, people.matter.name, "--retry", "lease.pdf", "--password")
    monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
    with pytest.raises(CommandError, match="1 of the documents could not be made searchable"):
        run(*words)
    monkeypatch.setattr(sys, "stdin", io.StringIO("sesame\n"))
    assert "searchable  lease.pdf" in run(*words)
    assert state("broken.pdf") == Version.State.FAILED
    assert not Job.objects.exclude(password="").exists()


def test_all_that_failed_is_queued_again_and_work_is_cancelled(people):
    who = (people.owner.username, people.matter.name)
    assert "2 documents are queued again" in run(*who, "--retry-failed", "--no-wait")
    assert state("broken.pdf") == state("lease.pdf") == Version.State.WAITING
    assert run(*who, "--cancel", "broken.pdf") == "Cancelled.\n"
    assert state("broken.pdf") == Version.State.CANCELLED
    with pytest.raises(CommandError, match="Nothing is being done"):
        run(*who, "--cancel", "broken.pdf")
    with pytest.raises(CommandError, match="No document"):
        run(*who, "--cancel", "nothing.pdf")
    with pytest.raises(CommandError, match="Only a failed or cancelled document"):
        run(*who, "--retry", "good.txt")


def test_a_paused_matter_waits_until_it_is_resumed_and_the_audit_says_who(people):
    who = (people.owner.username, people.matter.name)
    run(*who, "--pause")
    assert "the matter is paused" in run(*who)
    run(*who, "--retry-failed")  # does not wait for what will not happen
    assert work_off() == 0
    run(*who, "--resume")
    assert work_off() == 2
    changes = AuditEvent.objects.filter(act=AuditEvent.Act.CHANGE, matter_id=people.matter.pk)
    assert [event.details for event in changes.order_by("pk") if "is_paused" in event.details] == [
        {"is_paused": True},
        {"is_paused": False},
    ]


@pytest.mark.parametrize(
    "words",
    [["--pause"], ["--resume"], ["--retry-failed"], ["--cancel", "good.txt"], ["--retry", "lease.pdf"]],
)
def test_who_is_no_manager_changes_nothing_and_an_outsider_sees_nothing(people, words):
    with pytest.raises(CommandError, match="is a manager"):
        run(people.reader.username, people.matter.name, *words)
    for name in (people.outsider.username, "nobody"):
        with pytest.raises(CommandError, match="No one matter"):
            run(name, people.matter.name, *words)
        with pytest.raises(CommandError, match="No one matter"):
            run(name, people.matter.name)
    people.matter.refresh_from_db()
    assert not people.matter.is_paused
    assert state("lease.pdf") == Version.State.FAILED
