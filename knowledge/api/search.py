"""Search over REST."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from knowledge import access, generations, search
from knowledge.api.auth import person_of
from knowledge.api.schemas import PassageOut, SearchOut

router = Router(tags=["search"])
Limit = Annotated[int, Field(ge=1, le=search.MOST_RESULTS)]


@router.get("/matters/{uuid:matter_id}/search", response=SearchOut, summary="Find passages in a matter")
def search_matter(
    request: HttpRequest,
    matter_id: UUID,
    q: str,
    limit: Annotated[int, Field(ge=1, le=search.MOST_RESULTS)] = 10,
) -> SearchOut:
    person = person_of(request)
    matter = access.matter_for(person, matter_id)
    results = search.retrieve(access.scope_for(person, matter), q, limit)
    left = generations.rebuilding(frozenset({matter.pk}))
    return SearchOut(query=q, rebuilding=left, results=[PassageOut.of(result) for result in results])
