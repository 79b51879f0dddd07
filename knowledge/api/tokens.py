"""One's own tokens over REST. A token made with a token can do no more than that one."""

from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, entrance, tokens
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.schemas import Name
from knowledge.models import ApiToken, Right
from knowledge.models.token import came_with

router = Router(tags=["tokens"])


class TokenIn(Schema):
    name: Name = Field(examples=["nightly import"])
    rights: list[Right] = Field(min_length=1, examples=[["read", "ask"]])
    days: int | None = Field(90, ge=1, le=3650, description="How long it holds; null: until it is revoked.")
    matter_ids: list[UUID] | None = Field(
        None, max_length=1000, description="Only these matters; all of its person's when left out."
    )


class TokenOut(Schema):
    id: int
    name: str
    rights: list[Right]
    matter_ids: list[UUID] | None = Field(description="The matters it is limited to; null: not limited.")
    expires: datetime | None
    created: datetime
    last_used: datetime | None

    @staticmethod
    def of(row: ApiToken) -> "TokenOut":
        limit = list(row.matters.values_list("pk", flat=True)) if row.is_limited else None
        return TokenOut(
            id=row.pk,
            name=row.name,
            rights=[Right(right) for right in row.rights],
            matter_ids=limit,
            expires=row.expires,
            created=row.created,
            last_used=row.last_used,
        )


class NewTokenOut(Schema):
    token: str = Field(description="Shown this once.", examples=["pincite_…"])


@router.get("/tokens", response=list[TokenOut], summary="Your tokens")
def list_tokens(request: HttpRequest, response: HttpResponse, at: Query[cursors.Place]) -> list[TokenOut]:
    rows = access.tokens_of(person_of(request))
    return [TokenOut.of(row) for row in cursors.piece(request, response, rows, ("name", "pk"), at)]


@router.post("/tokens", response={201: NewTokenOut}, summary="Make a token")
def create_token(request: HttpRequest, body: TokenIn) -> Status[NewTokenOut]:
    person = person_of(request)
    if came_with(person) is None and not entrance.is_recent(request, person):
        raise PermissionDenied("Show again that it is you, at /sessions/confirm/, or call with a token.")
    chosen = None if body.matter_ids is None else [access.matter_for(person, pk) for pk in body.matter_ids]
    expires = None if body.days is None else timezone.now() + timedelta(days=body.days)
    try:
        token = tokens.issue(person, body.name, tokens.Wish(body.rights, chosen, expires))
    except tokens.TooMuch as error:
        raise PermissionDenied(str(error)) from error
    return Status(HTTPStatus.CREATED, NewTokenOut(token=token))


@router.delete("/tokens/{int:token_id}", response={204: None}, summary="Revoke a token")
def revoke_token(request: HttpRequest, token_id: int) -> Status[None]:
    tokens.revoke(access.token_for(person_of(request), token_id))
    return Status(HTTPStatus.NO_CONTENT, None)
