"""Groups, ethical walls, firm-wide roles, and the explanation of what they amount to."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.utils import timezone

from knowledge import access, matters, search, walls
from knowledge.models import Answer, AuditEvent, Document, Role, Wall
from knowledge.walls import Terms
from tests.test_access import make_passage
from tests.test_commands import run

REASON = Terms("Acted for the other side in 2030.")


@pytest.fixture
def group(people) -> Group:
    """The outsider's group."""
    made = Group.objects.create(name="Litigation")
    people.outsider.groups.add(made)
    return made


def sees(person, matter) -> bool:
    return access.matters_of(person).filter(pk=matter.pk).exists()


def test_a_group_lets_its_people_in_and_the_higher_role_counts(people, group):
    matters.set_group(people.matter, group, Role.READER)
    assert access.role_in(people.outsider, people.matter) == Role.READER
    people.reader.groups.add(group)
    matters.set_group(people.matter, group, Role.MEMBER)
    assert access.role_in(people.reader, people.matter) == Role.MEMBER
    people.outsider.groups.clear()
    assert not sees(people.outsider, people.matter)


@pytest.mark.parametrize("by", ["name", "group"])
def test_a_wall_beats_every_grant(people, group, by):
    matters.set_member(people.matter, people.outsider, Role.MANAGER)
    matters.set_group(people.matter, group, Role.MANAGER)
    passage = make_passage(people.matter)
    scope = access.scope_for(people.outsider, people.matter)
    assert search.readable(scope, [passage.pk])
    walls.raise_wall(people.matter, people.outsider if by == "name" else group, REASON, people.owner)
    assert not sees(people.outsider, people.matter)
    assert access.role_in(people.outsider, people.matter) is None
    assert search.readable(scope, [passage.pk]) == {}  # also for a scope that was made before
    assert sees(people.owner, people.matter)


def test_a_wall_stands_between_its_dates(people):
    now = timezone.now()
    later = Terms("later", since=now + timedelta(days=1))
    over = Terms("over", since=now - timedelta(days=2), until=now - timedelta(days=1))
    walls.raise_wall(people.matter, people.reader, later, people.owner)
    with pytest.raises(walls.NeverStands):
        walls.raise_wall(people.matter, people.reader, over, people.owner)
    Wall.objects.create(matter=people.matter, user=people.reader, **vars(over))
    assert sees(people.reader, people.matter)
    standing = walls.raise_wall(people.matter, people.reader, REASON, people.owner)
    assert not sees(people.reader, people.matter)
    walls.lift(standing)
    assert sees(people.reader, people.matter)
    assert Wall.objects.filter(pk=standing.pk).exists()


def test_a_wall_is_against_one_person_or_one_group(people, group):
    for against in ({}, {"user": people.reader, "group": group}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Wall.objects.create(matter=people.matter, reason="r", **against)


def test_the_last_manager_is_neither_walled_off_nor_lost_with_a_group(people, group):
    with pytest.raises(matters.LastManager):
        walls.raise_wall(people.matter, people.owner, REASON, people.owner)
    assert not people.matter.walls.exists()
    matters.set_group(people.matter, group, Role.MANAGER)
    matters.remove_member(people.matter, people.owner)  # the group manages it now
    with pytest.raises(matters.LastManager):
        matters.remove_group(people.matter, group)


def test_a_group_that_a_wall_names_cannot_be_deleted(people, group):
    walls.raise_wall(people.matter, group, REASON, people.owner)
    with pytest.raises(ProtectedError):
        group.delete()


def test_those_behind_a_wall_are_told_its_notice_and_nothing_else(people, client):
    client.force_login(people.reader)
    walls.raise_wall(people.matter, people.reader, REASON, people.owner)
    page = client.get("/").content.decode()
    assert "Harbour dispute" not in page
    assert REASON.reason not in page
    walls.raise_wall(people.matter, people.reader, Terms("r", "Do not speak about Harbour."), people.owner)
    assert "Do not speak about Harbour." in client.get("/").content.decode()


def test_a_manager_raises_and_lifts_a_wall_on_the_page(people, client):
    client.force_login(people.owner)
    path = f"/matters/{people.matter.pk}"
    page = client.post(f"{path}/walls/", {"user": "reader", "reason": "Conflict."}, follow=True)
    assert "A wall stands against reader." in page.content.decode()
    assert not sees(people.reader, people.matter)
    asked = client.get(f"{path}/access/", {"person": "reader"}).content.decode()
    assert "reader cannot see this matter." in asked
    assert "Conflict." in asked
    client.post(f"/walls/{Wall.objects.get().pk}/lift/")
    assert (
        "reader can see this matter" in client.get(f"{path}/access/", {"person": "reader"}).content.decode()
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"user": "reader"}, "Give a reason."),
        ({"reason": "r"}, "Name one person or one group."),
        ({"user": "nobody-here", "reason": "r"}, "There is no user or group"),
        ({"user": "reader", "reason": "r", "since": "2031-02-01", "until": "2031-01-01"}, "before it begins"),
    ],
)
def test_a_wall_that_makes_no_sense_is_refused(people, client, body, problem):
    client.force_login(people.owner)
    response = client.post(f"/matters/{people.matter.pk}/walls/", body)
    assert response.status_code == 422
    assert problem in response.content.decode()


def test_a_wall_that_is_over_already_is_refused_on_the_page_and_by_the_api(people, client):
    """One wrong digit of the year, and the matter would stay open to who is thought to be walled off."""
    client.force_login(people.owner)
    path = f"/matters/{people.matter.pk}/walls/"
    response = client.post(path, {"user": "reader", "reason": "r", "until": "2020-12-31"})
    assert response.status_code == 422
    assert "over already" in response.content.decode()
    path, headers = f"/api/v1/matters/{people.matter.pk}/walls", people.token(people.owner)
    for dates in (
        {"until": "2020-12-31T00:00:00Z"},
        {"since": "2019-01-01T00:00:00Z", "until": "2020-01-01T00:00:00Z"},
    ):
        body = {"username": "reader", "reason": "r", **dates}
        response = client.post(path, body, "application/json", headers=headers)
        assert response.status_code == 422, dates
        assert "over already" in response.json()["detail"]
    assert not Wall.objects.exists()
    today = f"{timezone.localdate():%Y-%m-%d}"
    client.post(f"/matters/{people.matter.pk}/walls/", {"user": "reader", "reason": "r", "until": today})
    assert not sees(people.reader, people.matter)


def test_lifting_what_is_over_changes_and_records_nothing(people, client):
    ended = timezone.now() - timedelta(days=300)
    wall = Wall.objects.create(
        matter=people.matter, user=people.reader, reason="r", since=ended - timedelta(days=9), until=ended
    )
    before = AuditEvent.objects.filter(act="permission").count()
    path, headers = f"/api/v1/walls/{wall.pk}/lift", people.token(people.owner)
    assert client.post(path, headers=headers).status_code == 200
    client.force_login(people.owner)
    page = client.post(f"/walls/{wall.pk}/lift/", follow=True).content.decode()
    assert "was over already" in page
    wall.refresh_from_db()
    assert wall.until == ended
    assert AuditEvent.objects.filter(act="permission").count() == before


def test_the_command_and_the_api_explain_as_the_page_does(people, client, group):
    matters.set_group(people.matter, group, Role.MEMBER)
    told = run("explain_access", "outsider", str(people.matter.pk))
    assert "outsider can see this matter as member." in told
    assert "The group Litigation is member" in told
    path = f"/api/v1/matters/{people.matter.pk}/access?username=outsider"
    found = client.get(path, headers=people.token(people.owner)).json()
    assert (found["may_read"], found["role"]) == (True, "member")
    assert all(line in told for line in found["because"])


def test_an_administrator_reads_no_matter_on_any_page_of_the_admin(people):
    """Every list, add, change and delete page: none holds a word of what is in the matter."""
    staff = User.objects.create_superuser("staff", password="correct horse")
    Document.objects.create(matter=people.matter, path="planted-path.txt")
    answer = Answer.objects.create(matter=people.matter, asker=people.owner, question="planted-question")
    client = Client()
    client.force_login(staff)
    for path in admin_pages(people, answer):
        page = client.get(path)
        assert page.status_code in {200, 302, 403, 404}, path
        assert b"planted" not in page.content, path
    assert client.get(f"/matters/{people.matter.pk}/").status_code == 404


def admin_pages(people, answer) -> list[str]:
    from django.contrib import admin

    pages = ["/admin/"]
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        pages += [f"{base}/", f"{base}/add/"]
        pages += [
            f"{base}/{row.pk}/{view}/"
            for row in model._default_manager.all()[:9]
            for view in ("change", "delete", "history")
        ]
    return pages


def test_people_are_closed_not_deleted(people):
    """Deleting a person would take their answers with them, and list them on its page."""
    staff = User.objects.create_superuser("staff", password="correct horse")
    client = Client()
    client.force_login(staff)
    path = f"/admin/auth/user/{people.owner.pk}/delete/"
    assert client.post(path, {"post": "yes"}).status_code == 403
    User.objects.filter(pk=people.reader.pk).update(is_active=False)
    assert not sees(people.reader, people.matter)


@pytest.mark.parametrize(("ends", "status"), [(-1, 200), (1, 302)])
def test_a_wall_that_is_over_already_is_none_in_the_admin_either(people, ends, status):
    staff = User.objects.create_superuser("staff", password="correct horse")
    browser = Client()
    browser.force_login(staff)
    now = timezone.now()
    dates = {
        f"walls-0-{name}_{part}": f"{when:{form}}"
        for name, when in {"since": now - timedelta(days=2), "until": now + timedelta(days=ends)}.items()
        for part, form in ((0, "%Y-%m-%d"), (1, "%H:%M:%S"))
    }
    names = ("memberships", "group_memberships", "walls")
    forms = {f"{name}-{kind}_FORMS": 0 for name in names for kind in ("TOTAL", "INITIAL")}
    wall = {"walls-0-user": people.reader.pk, "walls-0-reason": "r", "walls-0-matter": people.matter.pk}
    body = {"name": people.matter.name, **forms, "walls-TOTAL_FORMS": 1, **wall, **dates}
    response = browser.post(f"/admin/knowledge/matter/{people.matter.pk}/change/", body)
    assert response.status_code == status
    assert ("over already" in response.content.decode()) is (status == 200)
    assert Wall.objects.exists() is (status == 302)
