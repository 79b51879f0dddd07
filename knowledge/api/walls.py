"""Ethical walls and legal holds over REST, for those who manage the matter."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from knowledge import access, holds, walls
from knowledge.api import cursors, groups
from knowledge.api.auth import person_of
from knowledge.api.schemas import CountOut, Problem
from knowledge.models import Hold, Role, Wall

router = Router(tags=["walls and holds"])
Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=150, pattern=r"^[^\x00]*$")]


class WallIn(Schema):
    """Against one person or one group."""

    username: Name | None = Field(None, examples=["r.mercer"])
    group: Name | None = Field(None, examples=[None])
    reason: Words = Field(examples=["Acted for the other side until 2030."])
    notice: str = Field(
        "",
        max_length=2000,
        pattern=r"^[^\x00]*$",
        description="What those behind it are told; without it they learn nothing of the matter.",
    )
    since: AwareDatetime | None = Field(None, description="From now on when left out.")
    until: AwareDatetime | None = Field(None, description="Until it is lifted when left out.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.username is None) == (self.group is None):
            raise ValueError("Name one person or one group.")
        return self


class WallOut(Schema):
    id: UUID
    matter_id: UUID
    username: str | None
    group: str | None
    reason: str
    notice: str
    since: datetime
    until: datetime | None
    is_standing: bool
    raised_by: str | None

    @staticmethod
    def of(row: Wall) -> "WallOut":
        plain = ("matter_id", "reason", "notice", "since", "until", "is_standing")
        return WallOut(
            id=row.pk,
            username=row.user.get_username() if row.user else None,
            group=row.group.name if row.group else None,
            raised_by=row.created_by.get_username() if row.created_by else None,
            **{name: getattr(row, name) for name in plain},
        )


class HoldIn(Schema):
    reason: Words = Field(examples=["Litigation is expected."])


class HoldOut(Schema):
    reason: str
    since: datetime
    placed_by: str | None
    lifted: datetime | None

    @staticmethod
    def of(row: Hold) -> "HoldOut":
        by = row.by.get_username() if row.by else None
        return HoldOut(reason=row.reason, since=row.since, placed_by=by, lifted=row.lifted)


@router.get(
    "/matters/{uuid:matter_id}/walls", response=list[WallOut], summary="Walls of a matter, also those over"
)
def list_walls(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[WallOut]:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    rows = matter.walls.select_related("user", "group", "created_by")
    return [WallOut.of(row) for row in cursors.piece(request, response, rows, ("-since", "-pk"), at)]


@router.post(
    "/matters/{uuid:matter_id}/walls",
    response={201: WallOut, 409: Problem, 422: Problem},
    summary="Keep the matter from a person or a group, whatever they are granted",
)
def raise_wall(request: HttpRequest, matter_id: UUID, body: WallIn) -> Status[WallOut]:
    person = person_of(request)
    matter = access.matter_for(person, matter_id, Role.MANAGER)
    against = _user(body.username) if body.username else groups.named(body.group or "")
    terms = walls.Terms(body.reason, body.notice, body.since, body.until)
    return Status(HTTPStatus.CREATED, WallOut.of(walls.raise_wall(matter, against, terms, person)))


@router.post(
    "/walls/{uuid:wall_id}/lift", response=WallOut, summary="End a wall now; one that is over stays as it is"
)
def lift_wall(request: HttpRequest, wall_id: UUID) -> WallOut:
    wall = access.wall_for(person_of(request), wall_id)
    walls.lift(wall)
    return WallOut.of(wall)


@router.get(
    "/matters/{uuid:matter_id}/holds", response=list[HoldOut], summary="Legal holds, also those lifted"
)
def list_holds(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[HoldOut]:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    rows = matter.holds.select_related("by")
    return [HoldOut.of(row) for row in cursors.piece(request, response, rows, ("-since", "-pk"), at)]


@router.post(
    "/matters/{uuid:matter_id}/holds",
    response={201: HoldOut},
    summary="Place a legal hold: nothing of the matter can be deleted while one stands",
)
def place_hold(request: HttpRequest, matter_id: UUID, body: HoldIn) -> Status[HoldOut]:
    person = person_of(request)
    matter = access.matter_for(person, matter_id, Role.MANAGER)
    return Status(HTTPStatus.CREATED, HoldOut.of(holds.place(matter, body.reason, person)))


@router.post(
    "/matters/{uuid:matter_id}/holds/lift", response=CountOut, summary="Lift every hold of the matter"
)
def lift_holds(request: HttpRequest, matter_id: UUID) -> CountOut:
    return CountOut(count=holds.lift(access.matter_for(person_of(request), matter_id, Role.MANAGER)))


def _user(username: str) -> User | Group:
    person = User.objects.filter(username=username).first()
    if person is None:
        raise Http404("No such user.")
    return person
