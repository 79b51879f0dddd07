"""Matters over REST."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status

from knowledge import access, matters
from knowledge.api.auth import person_of
from knowledge.api.schemas import MatterIn, MatterOut
from knowledge.models import Role

router = Router(tags=["matters"])


@router.get("/matters", response=list[MatterOut], summary="The matters you are a member of")
def list_matters(request: HttpRequest) -> list[MatterOut]:
    return [MatterOut.of(matter) for matter in access.matters_of(person_of(request))]


@router.post("/matters", response={201: MatterOut}, summary="Open a matter; you become its manager")
def create_matter(request: HttpRequest, body: MatterIn) -> Status[MatterOut]:
    return Status(201, MatterOut.of(matters.create(body.name, person_of(request))))


@router.get("/matters/{uuid:matter_id}", response=MatterOut, summary="One matter")
def get_matter(request: HttpRequest, matter_id: UUID) -> MatterOut:
    return MatterOut.of(access.matter_for(person_of(request), matter_id))


@router.post("/matters/{uuid:matter_id}/pause", response=MatterOut, summary="Let its documents wait")
def pause_matter(request: HttpRequest, matter_id: UUID) -> MatterOut:
    return MatterOut.of(matters.pause(access.matter_for(person_of(request), matter_id, Role.MANAGER)))


@router.post("/matters/{uuid:matter_id}/resume", response=MatterOut, summary="Go on with its documents")
def resume_matter(request: HttpRequest, matter_id: UUID) -> MatterOut:
    return MatterOut.of(matters.resume(access.matter_for(person_of(request), matter_id, Role.MANAGER)))
