"""Groups of people in a matter, and the roles there are, over REST."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, matters
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.members import ROLES, MemberIn
from knowledge.api.schemas import Problem
from knowledge.models import GroupMembership, Role

router = Router(tags=["members"])
GroupName = Annotated[str, Path(max_length=150, pattern=r"^[^\x00]+$", examples=["Litigation"])]
MAY = {
    Role.READER: "Read, search and ask.",
    Role.MEMBER: "Also upload, and settle verdicts.",
    Role.MANAGER: "Also delete, retry, pause, and decide who may see the matter.",
}


class RoleOut(Schema):
    role: str = Field(examples=["reader"])
    rank: int = Field(description="A higher role includes the lower ones.")
    may: str = Field(examples=["Read, search and ask."])


class KnownGroupOut(Schema):
    name: str = Field(examples=["Litigation"])
    people: int = Field(description="How many are in it.")


class MatterGroupOut(Schema):
    group: str = Field(examples=["Litigation"])
    role: str = Field(description="reader, member or manager.", examples=["reader"])

    @staticmethod
    def of(row: GroupMembership) -> "MatterGroupOut":
        return MatterGroupOut(group=row.group.name, role=Role(row.role).name.lower())


@router.get("/roles", response=list[RoleOut], summary="The roles in a matter, and what each may do")
def list_roles(request: HttpRequest) -> list[RoleOut]:  # noqa: ARG001 - the same for everybody
    return [RoleOut(role=name, rank=role.value, may=MAY[role]) for name, role in ROLES.items()]


@router.get(
    "/groups", response=list[KnownGroupOut], summary="Your groups and those in the matters you manage"
)
def list_known_groups(
    request: HttpRequest, response: HttpResponse, at: Query[cursors.Place]
) -> list[KnownGroupOut]:
    groups = access.groups_for(person_of(request))
    rows = cursors.piece(request, response, groups, ("name", "pk"), at)
    return [KnownGroupOut(name=row.name, people=row.user_set.filter(is_active=True).count()) for row in rows]


@router.get("/matters/{uuid:matter_id}/groups", response=list[MatterGroupOut], summary="Groups in a matter")
def list_groups(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[MatterGroupOut]:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    rows = matter.group_memberships.select_related("group")
    return [MatterGroupOut.of(row) for row in cursors.piece(request, response, rows, ("pk",), at)]


@router.put(
    "/matters/{uuid:matter_id}/groups/{path:group}",
    response={200: MatterGroupOut, 409: Problem},
    summary="Let everybody in a group in, or change their role",
)
def set_group(request: HttpRequest, matter_id: UUID, group: GroupName, body: MemberIn) -> MatterGroupOut:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    matters.set_group(matter, named(group), ROLES[body.role])
    return MatterGroupOut(group=group, role=body.role)


@router.delete(
    "/matters/{uuid:matter_id}/groups/{path:group}",
    response={204: None, 409: Problem},
    summary="Take a group out",
)
def remove_group(request: HttpRequest, matter_id: UUID, group: GroupName) -> Status[None]:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    matters.remove_group(matter, named(group))
    return Status(HTTPStatus.NO_CONTENT, None)


def named(name: str) -> Group:
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise Http404("No such group.")
    return group
