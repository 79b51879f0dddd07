"""The audit: an event for each act or the act fails; a chain in which each tampering shows."""

import json
import random
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import CommandError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from knowledge import access, audit, documents, matters, tokens, walls, warming
from knowledge.audit import chain, export, triggers
from knowledge.models import ApiToken, AuditAnchor, AuditEvent, AuditText, Document, Membership, Role, Version
from tests.test_commands import run

Act = audit.Act
TAMPERINGS = 100
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


@pytest.fixture
def auditor(people) -> User:
    made = User.objects.create_user("auditor", password="correct horse")
    made.groups.add(Group.objects.get_or_create(name=access.AUDITORS)[0])
    return made


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def newest() -> AuditEvent:
    return AuditEvent.objects.latest("sequence")


def test_an_act_and_its_event_are_one_transaction(people):
    document = documents.add(people.matter, "a.txt", [b"text"], people.owner).document
    event = newest()
    assert (event.act, event.subject, event.matter_id) == ("add", f"document:{document.pk}", people.matter.pk)
    count = AuditEvent.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        matters.set_member(people.matter, people.outsider, Role.READER)
        raise RuntimeError
    assert AuditEvent.objects.count() == count


REFUSING = {
    "sqlite": [
        "CREATE TRIGGER full BEFORE INSERT ON knowledge_auditevent BEGIN SELECT RAISE(ABORT, 'full'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT ON knowledge_auditevent FOR EACH ROW EXECUTE FUNCTION full()",
    ],
}


def test_what_cannot_be_recorded_does_not_happen(people):
    """The database refuses new events: nothing is changed, and no page goes out."""
    client = signed_in(people.owner)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        for statement in REFUSING[connection.vendor]:
            cursor.execute(statement)
    with pytest.raises(DatabaseError), transaction.atomic():
        matters.set_member(people.matter, people.outsider, Role.READER)
    assert not Membership.objects.filter(matter=people.matter, user=people.outsider).exists()
    with transaction.atomic():
        response = client.get(f"/matters/{people.matter.pk}/")
        transaction.set_rollback(True)
    assert response.status_code == 500
    assert b"Harbour" not in response.content


@pytest.mark.parametrize("statement", ["UPDATE {} SET digest = ''", "DELETE FROM {}"])
@pytest.mark.parametrize("table", triggers.TABLES)
def test_the_database_refuses_to_change_or_delete(people, statement, table):
    audit.record(Act.READ)
    audit.anchor()
    with (
        pytest.raises(DatabaseError, match="only added to"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(table))


def test_who_came_from_where_is_told(people):
    client = signed_in(people.reader)
    client.get(f"/matters/{people.matter.pk}/", headers={"X-Forwarded-For": "6.6.6.6"})
    event = newest()
    assert (event.person, event.via, event.address, event.act) == ("reader", "session", "127.0.0.1", "read")
    client.get(f"/api/v1/matters/{people.matter.pk}", headers=people.token(people.owner))
    assert (newest().person, newest().via) == ("owner", "token")


def test_denials_of_missing_and_forbidden_look_the_same(people):
    client = signed_in(people.outsider)
    for matter_id in (people.matter.pk, "00000000-0000-4000-8000-000000000000"):
        client.get(f"/matters/{matter_id}/")
        event = newest()
        assert (event.act, event.subject, event.matter_id) == ("denied", f"matter:{matter_id}", None)


def test_signing_in_and_failing_to_are_recorded_without_what_was_typed(people):
    client = Client()
    client.post("/login/", {"username": "hunter2-typed-in-the-wrong-field", "password": "x"})
    assert newest().act == "refused"
    assert "hunter2" not in json.dumps(audit.entry(newest()))
    client.post("/login/", {"username": "reader", "password": "wrong"})
    assert newest().subject == f"user:{people.reader.pk}"
    client.post("/login/", {"username": "reader", "password": "correct horse"})
    assert (newest().act, newest().person) == ("sign-in", "reader")


def downloaded(client: Client, path: str) -> str:
    return b"".join(client.get(path)).decode()


def test_what_was_asked_is_shown_to_an_auditor_only_inside_their_walls(people, auditor):
    audit.record(Act.SEARCH, matter_id=people.matter.pk, text="the planted query", by=people.reader)
    client = signed_in(auditor)
    page = client.get("/audit/", {"act": "search"}).content.decode()
    assert "words withheld" in page
    assert "planted" not in page
    assert "planted" not in downloaded(client, "/audit/export.csv")
    assert "planted" not in downloaded(client, "/audit/export.jsonl")
    matters.set_member(people.matter, auditor, Role.READER)
    assert "the planted query" in client.get("/audit/", {"act": "search"}).content.decode()
    assert "the planted query" in downloaded(client, "/audit/export.jsonl")
    walls.raise_wall(people.matter, auditor, walls.Terms("r"), people.owner)
    assert "planted" not in client.get("/audit/", {"act": "search"}).content.decode()


def test_an_auditor_reads_the_audit_only_and_an_administrator_does_not(people, auditor):
    client = signed_in(auditor)
    assert client.get(f"/matters/{people.matter.pk}/").status_code == 404
    staff = User.objects.create_superuser("staff", password="correct horse")
    assert signed_in(staff).get("/audit/").status_code == 404
    assert "Audit</a>" in client.get("/").content.decode()


def test_an_export_is_itself_recorded(people, auditor):
    signed_in(auditor).get("/audit/export.csv", {"person": "reader"})
    event = newest()
    assert (event.act, event.subject, event.details) == ("export", "audit:csv", {"person": "reader"})


def test_the_filter_narrows(people, auditor):
    audit.record(Act.QUESTION, "answer:1", matter_id=people.matter.pk, by=people.reader)
    found = list(export.filtered({"person": "reader", "act": "question", "matter": people.matter.pk}))
    assert [event.subject for event in found] == ["answer:1"]


def test_what_an_administrator_changes_is_recorded(people):
    staff = User.objects.create_superuser("staff", password="correct horse")
    members = {"memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0}
    others = ("group_memberships", "walls")
    inlines = {f"{name}-{kind}_FORMS": 0 for name in others for kind in ("TOTAL", "INITIAL")}
    new = {"memberships-0-user": staff.pk, "memberships-0-role": 3, "memberships-0-matter": people.foreign.pk}
    body = {"name": people.foreign.name, **members, **inlines, **new}
    path = f"/admin/knowledge/matter/{people.foreign.pk}/change/"
    response = signed_in(staff).post(path, body)
    assert response.status_code == 302, response.context["errors"]
    events = AuditEvent.objects.filter(person="staff", matter_id=people.foreign.pk).order_by("sequence")
    first = events.first()
    assert (first.act, first.subject, first.details) == (
        "permission", f"user:{staff.pk}", {"role": "manager"}
    )  # fmt: skip
    assert events.last().act == "admin"


# --- The chain ---------------------------------------------------------------------------------------


@pytest.fixture
def exported(people, tmp_path) -> Path:
    for number in range(12):
        audit.record(
            Act.SEARCH, f"n:{number}", matter_id=people.matter.pk, text=f"query {number}", by=people.reader
        )
        if number == 6:
            audit.anchor()
    path = tmp_path / "audit.jsonl"
    path.write_text("".join(export.lines(people.owner)), encoding="utf-8")
    return path


def test_an_untouched_export_holds_and_so_does_the_database(exported):
    assert "unbroken" in run("verify_audit", str(exported))
    assert "unbroken" in run("verify_audit")


def test_another_key_does_not_hold(exported):
    with pytest.raises(CommandError, match="not signed by this key"):
        run("verify_audit", str(exported), "--key", "00" * 31 + "01")


def test_a_hundred_random_tamperings_are_a_hundred_found(exported, people):
    chance = random.Random(7)  # noqa: S311 - the same tamperings each time
    lines = exported.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = exported.with_name("anchor.json")  # as an auditor keeps it elsewhere
    kept.write_text(lines[-1], encoding="utf-8")
    missed = []
    for number in range(TAMPERINGS):
        name = list(TAMPER)[number % len(TAMPER)]
        changed, first = TAMPER[name](list(lines), chance)
        exported.write_text("".join(changed), encoding="utf-8")
        try:
            run("verify_audit", str(exported), "--anchor", str(kept))
        except CommandError as error:
            if first and f"{first}" not in str(error):
                missed.append((name, first, str(error)))
        else:
            missed.append((name, first, "held"))
    assert missed == []


def place(lines: list[str], chance: random.Random) -> int:
    """Of an event, not of an anchor."""
    return chance.choice([n for n, line in enumerate(lines) if "signature" not in line])


def edit(lines, chance):
    """One field of one event, its own digest made to fit again."""
    at = place(lines, chance)
    entry = json.loads(lines[at])
    name = chance.choice(["person", "act", "at", "subject", "address", "matter_id", "details", "commitment"])
    entry[name] = {"forged": 1} if name == "details" else "forged"
    if chance.random() < 0.5:
        entry["digest"] = chain.digest(entry)
    lines[at] = chain.canonical(entry).decode() + "\n"
    return lines, None


def retell(lines, chance):
    at = chance.choice([n for n, line in enumerate(lines) if '"said"' in line])
    entry = json.loads(lines[at])
    entry["said"]["text"] += "!"
    lines[at] = chain.canonical(entry).decode() + "\n"
    return lines, entry["sequence"]


def delete(lines, chance):
    at = place(lines, chance)
    number = json.loads(lines.pop(at))["sequence"]
    return lines, number


def reorder(lines, chance):
    places = [n for n, line in enumerate(lines) if "signature" not in line]
    one, other = sorted(chance.sample(places, 2))
    number = json.loads(lines[one])["sequence"]
    lines[one], lines[other] = lines[other], lines[one]
    return lines, number


def insert(lines, chance):
    at = place(lines, chance)
    lines.insert(at, lines[place(lines, chance)] if chance.random() < 0.5 else lines[at])
    return lines, None


def cut(lines, chance):
    """The end, with or without keeping the last anchor."""
    keep = place(lines, chance)
    return lines[:keep] + ([lines[-1]] if chance.random() < 0.5 else []), None


def flip(lines, chance):
    """One character anywhere."""
    at = chance.randrange(len(lines))
    spot = chance.randrange(len(lines[at]) - 1)
    old = lines[at][spot]
    lines[at] = lines[at][:spot] + ("x" if old != "x" else "y") + lines[at][spot + 1 :]
    return lines, None


TAMPER = {
    "edit": edit,
    "retell": retell,
    "delete": delete,
    "reorder": reorder,
    "insert": insert,
    "cut": cut,
    "flip": flip,
}


def test_a_cut_at_an_older_anchor_is_found_with_a_newer_one(exported):
    """Whoever cuts at an anchor leaves a chain that holds; an anchor kept elsewhere shows what is missing."""
    lines = exported.read_text(encoding="utf-8").splitlines(keepends=True)
    old = next(n for n, line in enumerate(lines) if "signature" in line)
    kept = exported.with_name("anchor.json")
    kept.write_text(lines[-1], encoding="utf-8")
    exported.write_text("".join(lines[: old + 1]), encoding="utf-8")
    run("verify_audit", str(exported))
    with pytest.raises(CommandError, match="is missing"):
        run("verify_audit", str(exported), "--anchor", str(kept))


def test_tampering_in_the_database_itself_is_found(exported):
    triggers.remove(connection)
    try:
        AuditEvent.objects.filter(sequence=3).update(person="somebody else")
    finally:
        triggers.install(connection)
    with pytest.raises(CommandError, match="Event 3 has been changed"):
        run("verify_audit")


def test_what_was_said_can_go_and_the_chain_holds(exported, people):
    audit.forget(people.matter.pk)
    assert not AuditText.objects.filter(matter_id=people.matter.pk).exists()
    assert "unbroken" in run("verify_audit")


@pytest.mark.django_db(transaction=True)
def test_many_writers_make_one_chain_without_a_gap():
    """Threads with their own connections, half of them deep in another transaction's locks."""
    from tests.conftest import make_people

    people = make_people()
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                if number % 2:
                    matters.set_member(people.matter, people.reader, Role(1 + turn % 2))
                else:
                    audit.record(Act.READ, f"{number}:{turn}")
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)
        finally:
            connection.close()

    before = AuditEvent.objects.count()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    sequences = list(AuditEvent.objects.values_list("sequence", flat=True))
    assert sequences == list(range(1, before + 81))
    assert "unbroken" in run("verify_audit")


def test_an_anchor_is_made_once_for_what_was_added(people):
    audit.record(Act.READ)
    assert audit.anchor() is not None
    assert audit.anchor() is None
    assert AuditAnchor.objects.count() == 1
    assert Path(settings.AUDIT_KEY).stat().st_mode & 0o077 == 0


def test_documents_are_named_in_what_can_be_forgotten_only(people):
    documents.add(people.matter, "secret-name.txt", [b"text"], people.owner)
    assert "secret-name" not in json.dumps([audit.entry(event) for event in AuditEvent.objects.all()])
    assert AuditText.objects.filter(text="secret-name.txt").exists()
    assert Document.objects.exists()


def test_the_turn_in_the_chain_is_taken_last(people):
    """After it nothing else is locked: who locks rows and then waits for the turn would wait for us."""
    tokens.issue(people.owner, "script", tokens.Wish(["read"], None, None))
    version = documents.add(people.matter, "a.txt", [b"text"], people.owner).version
    Version.objects.filter(pk=version.pk).update(characters=4)
    Document.objects.filter(pk=version.document_id).update(current=version)
    acts = {
        "read ahead": lambda: warming.queue_matter(people.matter, people.owner),
        "revoke": lambda: tokens.revoke(ApiToken.objects.get()),
    }
    for name, act in acts.items():
        with CaptureQueriesContext(connection) as captured:
            act()
        written = [each["sql"] for each in captured if each["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
        assert "knowledge_auditevent" in written[-1], name
