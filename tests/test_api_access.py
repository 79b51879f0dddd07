"""Who may see a matter, over REST: groups, walls, holds, sessions and the audit, with the typed client."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from knowledge import access, documents, sign_ins
from knowledge.client import Problem
from knowledge.models import AuditEvent, Document, Matter, Right, SignIn
from tests.calling import calling

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators"),
]


@pytest.fixture
def pincite(people):
    with calling(people.owner) as client:
        yield client


@pytest.fixture
def litigation(people) -> Group:
    group = Group.objects.create(name="Litigation / Hamburg")
    group.user_set.add(people.outsider)
    return group


def test_a_group_is_let_in_and_taken_out(people, pincite, litigation):
    assert litigation.name not in [
        row.name for row in pincite.known_groups()
    ]  # it is let in by its exact name
    assert pincite.set_group(people.matter.pk, litigation.name, "member").role == "member"
    assert [(row.group, row.role) for row in pincite.groups(people.matter.pk)] == [
        (litigation.name, "member")
    ]
    assert litigation.name in [row.name for row in pincite.known_groups()]
    with calling(people.outsider) as other:
        assert litigation.name in [row.name for row in other.known_groups()]  # they are in it
        assert people.matter.name in [row.name for row in other.matters()]
        pincite.remove_group(people.matter.pk, litigation.name)
        assert people.matter.name not in [row.name for row in other.matters()]


def test_the_names_of_groups_are_for_managers(people, litigation):
    """They may tell what the firm works on."""
    for person in (people.reader, people.member):
        with calling(person) as client, pytest.raises(Problem, match="403"):
            list(client.known_groups())


def test_a_wall_is_raised_explained_and_lifted(people, pincite):
    until = timezone.now() + timedelta(days=30)
    wall = pincite.raise_wall(people.matter.pk, "Acted for Crane.", username="reader", until=until)
    assert (wall.username, wall.group, wall.is_standing, wall.raised_by) == ("reader", None, True, "owner")
    assert not access.matters_of(people.reader).exists()
    told = pincite.explain_access(people.matter.pk, "reader")
    assert not told.may_read
    assert any("Acted for Crane." in line for line in told.because)
    assert not pincite.lift_wall(wall.id).is_standing
    assert [row.id for row in pincite.walls(people.matter.pk)] == [wall.id]
    assert access.matters_of(people.reader).get() == people.matter


def test_a_wall_names_one_person_or_one_group_and_ends_after_it_begins(people, pincite, litigation):
    for wrong in ({}, {"username": "reader", "group": litigation.name}):
        with pytest.raises(Problem, match="422"):
            pincite.raise_wall(people.matter.pk, "Reason", **wrong)
    with pytest.raises(Problem, match="404"):
        pincite.raise_wall(people.matter.pk, "Reason", username="nobody")
    with pytest.raises(Problem, match="409"):  # the last manager
        pincite.raise_wall(people.matter.pk, "Reason", username="owner")
    assert list(pincite.walls(people.matter.pk)) == []


def test_a_hold_keeps_what_there_is_until_it_is_lifted(people, pincite):
    document = Document.objects.create(matter=people.matter, path="a.txt")
    assert pincite.place_hold(people.matter.pk, "Litigation is expected.").placed_by == "owner"
    with pytest.raises(Problem, match="409"):
        pincite.delete_matter(people.matter.pk)
    assert pincite.lift_holds(people.matter.pk) == 1
    [row] = pincite.holds(people.matter.pk)
    assert row.lifted is not None
    documents.delete(document)
    pincite.delete_matter(people.matter.pk)
    assert not Matter.objects.filter(pk=people.matter.pk).exists()


def test_the_roles_say_what_they_allow_in_order_of_rank(pincite):
    assert [row.role for row in sorted(pincite.roles(), key=lambda row: row.rank)] == [
        "reader",
        "member",
        "manager",
    ]


def test_sessions_are_listed_and_ended(people, pincite):
    browsers = [Browser(), Browser()]
    for browser in browsers:
        browser.post("/login/", {"username": "owner", "password": "correct horse"})
    assert len(list(pincite.sessions())) == 2
    oldest = list(pincite.sessions())[-1]
    pincite.end_session(oldest.id)
    assert [browser.get("/").status_code for browser in browsers] == [302, 200]
    pincite.end_sessions()
    assert browsers[1].get("/").status_code == 302
    assert list(pincite.sessions()) == []


def test_a_session_of_somebody_else_is_not_there(people, pincite):
    Browser().post("/login/", {"username": "outsider", "password": "correct horse"})
    row = SignIn.objects.get(user=people.outsider)
    with pytest.raises(Problem, match="404"):
        pincite.end_session(row.pk)
    sign_ins.end(row)


@pytest.fixture
def auditor(db) -> User:
    user = User.objects.create_user("auditor", password="correct horse")
    user.groups.add(Group.objects.get_or_create(name=access.AUDITORS)[0])
    return user


def test_the_audit_is_read_filtered_and_its_chain_verified(people, pincite, auditor, tmp_path: Path):
    pincite.raise_wall(people.matter.pk, "Acted for Crane.", username="reader")
    with calling(auditor) as reading:
        [event] = reading.audit(person="owner", act="permission")
        assert event.matter_id == people.matter.pk
        assert event.said is None  # an auditor does not see what is said in a matter
        chain = tmp_path / "audit.jsonl"
        chain.write_text(reading.audit_chain())
    call_command("verify_audit", str(chain))
    with pytest.raises(Problem, match="404"):
        list(pincite.audit())


def test_a_token_limited_to_a_matter_reads_no_audit(people, auditor):
    with calling(auditor, matters=[people.matter]) as reading, pytest.raises(Problem, match="403"):
        list(reading.audit())
    with calling(auditor, rights=[Right.ASK]) as reading, pytest.raises(Problem, match="403"):
        reading.audit_chain()


def test_each_change_of_who_may_see_is_one_event_over_rest_as_on_the_page(people, pincite, litigation):
    before = AuditEvent.objects.count()
    pincite.set_group(people.matter.pk, litigation.name, "reader")
    wall = pincite.raise_wall(people.matter.pk, "Reason", group=litigation.name)
    pincite.lift_wall(wall.id)
    pincite.place_hold(people.matter.pk, "Reason")
    acts = AuditEvent.objects.order_by("sequence").values_list("act", flat=True)[before:]
    assert list(acts) == ["permission", "permission", "permission", "change"]


def test_what_i_want_read_is_listed_set_and_unset_and_is_mine_alone(people, pincite):
    lease, letter = (Document.objects.create(matter=people.matter, path=name) for name in ("a.txt", "b.txt"))
    pincite.set_reading(lease.pk, "never")
    pincite.set_reading(letter.pk, "full")
    wishes = {row.path: row.kind for row in pincite.readings(people.matter.pk)}
    assert wishes == {"a.txt": "never", "b.txt": "full"}
    with calling(people.reader) as other:
        assert list(other.readings(people.matter.pk)) == []
    pincite.unset_reading(lease.pk)
    pincite.set_reading(letter.pk, "")
    assert list(pincite.readings(people.matter.pk)) == []
    with calling(people.outsider) as stranger, pytest.raises(Problem, match="404"):
        list(stranger.readings(people.matter.pk))
