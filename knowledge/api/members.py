"""Who is in a matter, over REST."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, matters
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.schemas import Problem
from knowledge.models import Membership, Role
from knowledge.models.service import is_service

router = Router(tags=["members"])
ROLES = {role.name.lower(): role for role in Role}
Username = Annotated[str, Path(max_length=150, pattern=r"^[\w.@+-]+$", examples=["r.mercer"])]


class MemberIn(Schema):
    role: Literal["reader", "member", "manager"] = Field(examples=["reader"])


class MemberOut(Schema):
    username: str
    role: str = Field(description="reader, member or manager.", examples=["reader"])
    service: bool = Field(default=False, description="A service account: a program, not a person.")

    @staticmethod
    def of(row: Membership) -> "MemberOut":
        role = Role(row.role).name.lower()
        return MemberOut(username=row.user.get_username(), role=role, service=is_service(row.user))


@router.get("/matters/{uuid:matter_id}/members", response=list[MemberOut], summary="Who is in a matter")
def list_members(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[MemberOut]:
    rows = access.matter_for(person_of(request), matter_id).memberships.select_related(
        "user__service_account"
    )
    return [MemberOut.of(row) for row in cursors.piece(request, response, rows, ("pk",), at)]


@router.put(
    "/matters/{uuid:matter_id}/members/{username}",
    response={200: MemberOut, 409: Problem},
    summary="Let a person in, or change their role",
)
def set_member(request: HttpRequest, matter_id: UUID, username: Username, body: MemberIn) -> MemberOut:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    matters.set_member(matter, _person(username), ROLES[body.role])
    return MemberOut(username=username, role=body.role)


@router.delete(
    "/matters/{uuid:matter_id}/members/{username}",
    response={204: None, 409: Problem},
    summary="Take a person out",
)
def remove_member(request: HttpRequest, matter_id: UUID, username: Username) -> Status[None]:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    matters.remove_member(matter, _person(username))
    return Status(HTTPStatus.NO_CONTENT, None)


def _person(username: str) -> User:
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise Http404("No such user.")
    return person
