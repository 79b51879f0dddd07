"""Descriptions, families and conversations, through the front door."""

import email.message
from itertools import permutations

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client

from knowledge import documents, generations, jobs, reconcile, threads, uploads
from knowledge.models import Document, Job, Version
from knowledge.models.description import Description
from tests.conftest import make_people
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    return make_people()


def message(number: int, *, answers: int = 0, references: tuple[int, ...] = ()) -> bytes:
    mail = email.message.EmailMessage()
    mail["From"], mail["To"] = "Jane Doe <jane@x.example>", "bob@y.example, Carla Roe <carla@y.example>"
    mail["Cc"], mail["Subject"] = "legal@y.example", f"Crane {number}"
    mail["Date"], mail["Message-ID"] = f"Mon, 0{number} Mar 2031 09:00:00 +0000", f"<m{number}@x.example>"
    if answers:
        mail["In-Reply-To"] = f"<m{answers}@x.example>"
    if references:
        mail["References"] = " ".join(f"<m{each}@x.example>" for each in references)
    mail.set_content(f"The crane is late for the time number {number}.")
    mail.add_attachment(
        f"This is the log of the crane on day {number}, written by the operator.", filename=f"log{number}.txt"
    )
    return mail.as_bytes()


def add(people, name: str, content: bytes, **more) -> Document:
    return documents.add(people.matter, name, [content], people.owner, **more).document


def test_an_e_mail_is_described_with_its_people_its_family_and_its_conversation(people):
    upload = uploads.begin(people.matter, people.owner, "J. Doe")
    first = add(people, "1.eml", message(1), upload=upload)
    second = add(people, "2.eml", message(2, answers=1), upload=upload)
    work_off()
    api = Client(headers=people.token(people.reader))
    told = api.get(f"/api/v1/documents/{first.pk}").json()
    described = told["description"]
    assert (described["kind"], described["author"], described["custodian"]) == ("email", "Jane Doe", "J. Doe")
    assert described["sent"] == described["date"] == "2031-03-01T09:00:00Z"
    assert [(row["role"], row["address"]) for row in described["correspondents"]] == [
        ("from", "jane@x.example"),
        ("to", "bob@y.example"),
        ("to", "carla@y.example"),
        ("cc", "legal@y.example"),
    ]
    assert told["thread"] == [str(first.pk), str(second.pk)]
    [child] = told["children"]
    attached = api.get(f"/api/v1/documents/{child}").json()
    assert (attached["root_id"], attached["description"]["custodian"]) == (str(first.pk), "J. Doe")
    assert attached["description"]["language"] == "en"
    pages = Client()
    pages.force_login(people.reader)
    shown = pages.get(f"/documents/{first.pk}/").content.decode()
    assert "Conversation (2 e-mails)" in shown
    assert "log1.txt" in shown


NAMED = {
    "by references": {1: [], 2: [1], 3: [1, 2]},
    "by answers only": {1: [], 2: [1], 3: [2]},
}


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_a_conversation_is_one_in_whatever_order_it_arrives(people, named, order):
    for number in [*order, 9]:
        version = add(people, f"{number}.eml", message(number)).latest
        earlier = [f"m{each}" for each in named.get(number, [])]
        with transaction.atomic():
            thread = threads.join(version, f"m{number}", earlier)
            Version.objects.filter(pk=version.pk).update(message_id=f"m{number}", thread=thread)
    found = dict(Version.objects.values_list("message_id", "thread"))
    assert found["m1"] == found["m2"] == found["m3"] != found["m9"]


def test_a_conversation_ends_at_the_border_of_its_matter(people):
    mine = add(people, "1.eml", message(1))
    documents.add(people.foreign, "2.eml", [message(2, answers=1)], people.outsider)
    work_off()
    assert [each.document for each in threads.messages(mine.latest)] == [mine]


def test_the_command_takes_a_custodian(people, tmp_path):
    (tmp_path / "a.txt").write_text("The rent is due.")
    call_command("ingest", str(people.matter.pk), str(tmp_path), custodian="A. Roe", no_wait=True)
    assert Version.objects.get().custodian == "A. Roe"


def undescribe(*versions: Version) -> None:
    """As migration 0002 left what had been read before it."""
    for version in versions:
        version.correspondents.all().delete()
        version.pages.update(bates="")
    blank = dict.fromkeys(
        ("kind", "author", "language", "bates_first", "bates_last", "message_id", "thread"), ""
    )
    dates = dict.fromkeys(("date", "sent", "written", "changed"))
    Version.objects.filter(pk__in=[version.pk for version in versions]).update(**blank, **dates)


def described(version: Version) -> tuple:
    row = Version.objects.get(pk=version.pk)
    fields = [getattr(row, field.name) for field in Description._meta.get_fields()]
    bates = row.pages.values_list("number", "bates")
    return fields, list(bates), list(row.correspondents.values_list("role", "name", "address"))


@pytest.mark.parametrize("way", ["reconcile", "reindex"])
def test_what_was_read_before_there_were_descriptions_gets_its_own_without_its_file(people, way):
    reconcile.run(0)  # what other tests left
    mail = add(people, "1.eml", message(1)).latest
    stamped = "\f".join(f"The crane is late.\n\nACME {number:06}\n" for number in range(1, 9))
    text = add(people, "stamped.txt", stamped.encode()).latest
    work_off()
    before = described(mail), described(text)
    undescribe(mail, text)
    assert (described(mail), described(text)) != before
    if way == "reindex":
        recipe = generations.configured()
        generations.begin(generations.Recipe(recipe.embedder, recipe.dimensions, 120, 0))
    else:
        found = [finding.kind for finding in reconcile.run(0)]
        assert found == ["document without its description"] * 2
    assert reconcile.run(0) == []
    work_off()
    assert (described(mail), described(text)) == before
    assert reconcile.run(0) == []


@pytest.mark.parametrize("way", ["reconcile", "reindex"])
def test_what_cannot_be_described_is_reported_and_holds_up_no_generation(people, way):
    reconcile.run(0)  # what other tests left
    text = add(people, "a.txt", b"The crane is late.").latest
    work_off()
    undescribe(text)
    Version.objects.filter(pk=text.pk).update(metadata={"to": 7})  # as no parser would leave it
    recipe = generations.configured()
    if way == "reindex":
        generations.begin(generations.Recipe(recipe.embedder, recipe.dimensions, 120, 0))
    else:
        assert [finding.is_repaired for finding in reconcile.run(0)] == [True]
    work_off()
    for generation in generations.live():
        assert not generations.missing(generation).exists()
    before = Job.objects.count()
    found = [str(finding) for finding in reconcile.run(0) if "describe" in finding.kind]
    assert found == [f"document that cannot be described: {text} (reported)"]
    assert Job.objects.count() == before


def test_a_description_whose_job_failed_is_not_said_to_be_repaired(people):
    reconcile.run(0)  # what other tests left
    text = add(people, "a.txt", b"The crane is late.").latest
    work_off()
    undescribe(text)
    assert [str(finding) for finding in reconcile.run(0)] == [
        f"document without its description: {text} (repaired)"
    ]
    jobs.fail(jobs.claim_next(), "The rows could not be read.")
    for _ in range(2):
        assert [finding.is_repaired for finding in reconcile.run(0)] == [False]
    assert not Job.objects.filter(state__in=jobs.OPEN).exists()
