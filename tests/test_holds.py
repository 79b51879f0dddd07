"""A legal hold: nothing of the matter can be deleted by any path."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection, transaction
from django.test import Client

from knowledge import documents, holds, matters
from knowledge.models import Answer, Document, Hold, Matter, Run, Version
from tests.conftest import People
from tests.test_commands import run


@pytest.fixture
def held(people) -> People:
    documents.add(people.matter, "a.txt", [b"text"], people.owner)
    Answer.objects.create(matter=people.matter, asker=people.owner, question="Who pays?")
    Run.objects.create(kind="research", matter=people.matter, asker=people.owner, question="Who pays?")
    holds.place(people.matter, "Litigation is expected.", people.owner)
    return people


def raw(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours


PATHS: dict[str, Callable[[People], object]] = {
    "documents.delete": lambda people: documents.delete(people.matter.documents.get()),
    "matters.delete": lambda people: matters.delete(people.matter),
    "the command": lambda people: run("delete_matter", str(people.matter.pk), "--yes"),
    "the matter by ORM": lambda people: people.matter.delete(),
    "all matters by ORM": lambda people: Matter.objects.all().delete(),
    "documents by ORM": lambda people: Document.objects.all().delete(),
    "versions by ORM": lambda people: Version.objects.all().delete(),
    "runs by ORM": lambda people: Run.objects.all().delete(),
    "answers by ORM": lambda people: Answer.objects.all().delete(),
    "a cascade from a person": lambda people: people.owner.delete(),
    "the hold itself": lambda people: Hold.objects.all().delete(),
    "SQL on matters": lambda people: raw("knowledge_matter"),
    "SQL on documents": lambda people: raw("knowledge_document"),
    "SQL on versions": lambda people: raw("knowledge_version"),
    "SQL on answers": lambda people: raw("knowledge_answer"),
}


@pytest.mark.parametrize("path", PATHS)
def test_no_path_deletes_what_is_held(held, path):
    with pytest.raises((holds.Held, DatabaseError, CommandError)), transaction.atomic():
        PATHS[path](held)
    assert (Matter.objects.count(), Document.objects.count(), Version.objects.count()) == (2, 1, 1)
    assert Answer.objects.count() == Run.objects.count() == Hold.objects.count() == 1


def test_the_page_and_the_api_say_why(held):
    client, document = Client(), held.matter.documents.get()
    client.force_login(held.owner)
    page = client.post(f"/documents/{document.pk}/delete/", {"confirmed": "1"}, follow=True)
    assert "under a legal hold" in page.content.decode()
    response = client.delete(f"/api/v1/documents/{document.pk}", headers=held.token(held.owner))
    assert response.status_code == 409
    assert "legal hold" in response.json()["detail"]
    assert Document.objects.filter(pk=document.pk).exists()


def test_other_matters_are_not_held_and_a_lifted_hold_holds_nothing(held):
    documents.delete(documents.add(held.foreign, "b.txt", [b"text"], held.outsider).document)
    assert holds.lift(held.matter) == 1
    documents.delete(held.matter.documents.get())
    matters.delete(held.matter)
    assert not Matter.objects.filter(pk=held.matter.pk).exists()


def test_a_manager_places_and_lifts_it_on_the_page(people):
    client = Client()
    client.force_login(people.owner)
    path = f"/matters/{people.matter.pk}/hold/"
    page = client.post(path, {"reason": "Litigation is expected."}, follow=True).content.decode()
    assert "Litigation is expected." in page
    client.post(path, {"lift": "1"})
    assert not holds.standing(people.matter).exists()


def test_the_command_places_and_lifts_it(people):
    assert "under a legal hold" in run("hold", str(people.matter.pk), "--reason", "Litigation")
    assert "Lifted 1" in run("hold", str(people.matter.pk), "--lift")
