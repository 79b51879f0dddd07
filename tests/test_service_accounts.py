"""Service accounts: made by administrators, used by tokens alone, told apart from people."""

from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client

from knowledge import matters, service_accounts
from knowledge.models import ApiToken, AuditEvent, Role, ServiceAccount
from tests.test_factors import PASSWORD, enter, is_in


@pytest.fixture
def robot(people) -> ServiceAccount:
    made = service_accounts.create("intake-robot", "Sends in what the scanner reads.", people.owner)
    matters.set_member(people.matter, made.user, Role.READER)
    return made


def test_it_works_by_token_in_the_matters_it_is_in_and_the_audit_says_what_it_is(people, robot):
    found = Client().get("/api/v1/matters", headers=people.token(robot.user)).json()
    assert [each["name"] for each in found] == ["Harbour dispute"]
    path = f"/api/v1/matters/{people.matter.pk}"
    assert Client().get(path, headers=people.token(robot.user)).status_code == 200
    event = AuditEvent.objects.latest("sequence")
    assert (event.person, event.via) == ("intake-robot", "service account")
    Client().get(path, headers=people.token(people.owner))
    assert AuditEvent.objects.latest("sequence").via == "token"


def test_it_does_not_get_in_by_a_browser_even_with_a_password(people, robot):
    assert not is_in(enter("intake-robot"))
    robot.user.set_password(PASSWORD)
    robot.user.save()
    client = Client()
    assert client.post("/login/", {"username": "intake-robot", "password": PASSWORD}).status_code == 403
    assert not is_in(client)
    assert AuditEvent.objects.latest("sequence").details == {"by": "password", "why": "service account"}
    assert not AuditEvent.objects.filter(act="sign-in").exists()


def test_it_is_told_apart_in_the_lists_of_members(people, robot):
    client = enter("owner")
    for path in (f"/matters/{people.matter.pk}/", f"/matters/{people.matter.pk}/access/"):
        assert client.get(path).content.decode().count("service account") == 1, path
    path = f"/api/v1/matters/{people.matter.pk}/members"
    listed = client.get(path).json()
    assert [each["username"] for each in listed if each["service"]] == ["intake-robot"]


def test_a_command_makes_one_and_another_its_token(people):
    out = StringIO()
    call_command("service_account", "intake-robot", "Sends in scans.", stdout=out)
    assert "intake-robot" in out.getvalue()
    made = ServiceAccount.objects.get()
    assert not made.user.has_usable_password()
    assert AuditEvent.objects.latest("sequence").details == {"service account": "made"}
    call_command("token", "intake-robot", "scanner", stdout=out)
    assert ApiToken.objects.get(user=made.user).name == "scanner"
    for name in ("intake-robot", "owner", "not a name", ""):
        with pytest.raises(CommandError):
            call_command("service_account", name, "Again.")


@pytest.fixture
def staff(people) -> Client:
    User.objects.filter(pk=people.owner.pk).update(is_staff=True, is_superuser=True)
    return enter("owner")


def test_an_administrator_makes_one_and_its_token(people, staff):
    path = "/admin/knowledge/serviceaccount/"
    for name in ("reader", "ｒｅａｄｅｒ", "not a name"):
        assert staff.post(f"{path}add/", {"name": name, "purpose": "Scans."}).status_code == 200
    assert not ServiceAccount.objects.exists()
    assert staff.post(f"{path}add/", {"name": "robot", "purpose": "Scans."}).status_code == 302
    made = ServiceAccount.objects.get()
    assert (made.user.username, made.by.username, made.user.is_staff) == ("robot", "owner", False)
    assert staff.post(f"{path}{made.pk}/change/", {"purpose": "Scans and mail."}).status_code == 302
    assert ServiceAccount.objects.get().purpose == "Scans and mail."
    page = staff.post(path, {"action": "make_token", "_selected_action": [made.pk]}).content.decode()
    token = ApiToken.objects.get(user=made.user)
    assert sorted(token.rights) == ["ask", "read"]
    assert "pincite_" in page
    event = AuditEvent.objects.get(subject=f"token:{token.pk}")
    assert (event.person, event.details["of"]) == ("owner", f"user:{made.pk}")
    assert staff.post(f"{path}{made.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_token_of_another_administrators_account_is_for_superusers(people, robot):
    """Whoever may only see service accounts would else read what each of them reads."""
    for person in (people.member, people.owner):
        User.objects.filter(pk=person.pk).update(is_staff=True)
        person.user_permissions.set(Permission.objects.filter(content_type__model="serviceaccount"))
    body = {"action": "make_token", "_selected_action": [robot.pk]}
    assert "pincite_" not in enter("member").post("/admin/knowledge/serviceaccount/", body).content.decode()
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.filter(act="denied", subject=f"user:{robot.pk}").count() == 1
    assert "pincite_" in enter("owner").post("/admin/knowledge/serviceaccount/", body).content.decode()
