"""Matters over REST."""

from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Status

from knowledge import access, matters, walls, warming
from knowledge.api import cursors, idempotency
from knowledge.api.auth import person_of
from knowledge.api.schemas import CountOut, ExplanationOut, MatterIn, MatterOut, Problem
from knowledge.models import Role
from knowledge.models.token import came_with

router = Router(tags=["matters"])


@router.get("/matters", response=list[MatterOut], summary="The matters you are a member of")
def list_matters(request: HttpRequest, response: HttpResponse, at: Query[cursors.Place]) -> list[MatterOut]:
    rows = access.matters_of(person_of(request))
    return [MatterOut.of(row) for row in cursors.piece(request, response, rows, ("name", "pk"), at)]


@router.post("/matters", response={201: MatterOut}, summary="Open a matter; you become its manager")
def create_matter(request: HttpRequest, body: MatterIn) -> Status[MatterOut]:
    person = person_of(request)
    token = came_with(person)
    if token is not None and token.is_limited:
        raise PermissionDenied("A token that is limited to some matters opens no others.")
    matter = matters.create(body.name, person)
    idempotency.about(request, matter)
    return Status(201, MatterOut.of(matter))


@router.get("/matters/{uuid:matter_id}", response=MatterOut, summary="One matter")
def get_matter(request: HttpRequest, matter_id: UUID) -> MatterOut:
    return MatterOut.of(access.matter_for(person_of(request), matter_id))


@router.patch("/matters/{uuid:matter_id}", response=MatterOut, summary="Rename a matter")
def rename_matter(request: HttpRequest, matter_id: UUID, body: MatterIn) -> MatterOut:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    return MatterOut.of(matters.rename(matter, body.name))


@router.delete(
    "/matters/{uuid:matter_id}", response={204: None, 409: Problem}, summary="Delete a matter with all of it"
)
def delete_matter(request: HttpRequest, matter_id: UUID) -> Status[None]:
    matters.delete(access.matter_for(person_of(request), matter_id, Role.MANAGER))
    return Status(204, None)


@router.post("/matters/{uuid:matter_id}/pause", response=MatterOut, summary="Let its documents wait")
def pause_matter(request: HttpRequest, matter_id: UUID) -> MatterOut:
    return MatterOut.of(matters.pause(access.matter_for(person_of(request), matter_id, Role.MANAGER)))


@router.post("/matters/{uuid:matter_id}/resume", response=MatterOut, summary="Go on with its documents")
def resume_matter(request: HttpRequest, matter_id: UUID) -> MatterOut:
    return MatterOut.of(matters.resume(access.matter_for(person_of(request), matter_id, Role.MANAGER)))


@router.post(
    "/matters/{uuid:matter_id}/warm",
    response={202: CountOut},
    summary="Read its main documents ahead, so that the first questions are answered sooner",
)
def warm_matter(request: HttpRequest, matter_id: UUID) -> Status[dict[str, int]]:
    person = person_of(request)
    matter = access.matter_for(person, matter_id, Role.MEMBER)
    return Status(202, {"count": len(warming.queue_matter(matter, person))})


@router.get(
    "/matters/{uuid:matter_id}/access",
    response=ExplanationOut,
    summary="Why a person can or cannot see the matter",
)
def explain_access(request: HttpRequest, matter_id: UUID, username: str) -> ExplanationOut:
    matter = access.matter_for(person_of(request), matter_id, Role.MANAGER)
    person = User.objects.filter(username=username).first()
    if person is None:
        raise Http404("No such user.")
    return ExplanationOut.of(walls.explain(person, matter))
