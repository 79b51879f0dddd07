"""Search over REST: the same query language and the same calls as the page."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import BaseModel, Field, StringConstraints

from knowledge import access, generations, lookup, saved, search
from knowledge.api.auth import person_of
from knowledge.api.schemas import PassageOut, PieceOut, Problem
from knowledge.exact import report
from knowledge.exact.places import Place
from knowledge.models import SavedSearch
from knowledge.query.parser import LONGEST

router = Router(tags=["search"])
Limit = Annotated[int, Field(ge=1, le=search.MOST_RESULTS)]
Text = Annotated[str, Field(max_length=LONGEST, examples=["terminat* /s notice date:2019..2021"])]


class PlaceOut(BaseModel):
    page: int
    page_label: str
    start: int = Field(description="Offset in code points in the version's text.")
    end: int
    snippet: list[PieceOut]

    @staticmethod
    def of(place: Place) -> "PlaceOut":
        return PlaceOut(
            page=place.page,
            page_label=place.page_label,
            start=place.start,
            end=place.end,
            snippet=[PieceOut(text=piece.text, marked=piece.is_marked) for piece in place.snippet],
        )


class GroupOut(BaseModel):
    document_id: UUID
    version_id: UUID
    document: str
    title: str
    type: str
    date: datetime | None
    count: int | None = Field(description="Of all places in this document; null where passages are ranked.")
    places: list[PlaceOut] = Field(description="The first ones; ask with document_id for more.")

    @staticmethod
    def of(group: lookup.Group) -> "GroupOut":
        entry = group.entry
        return GroupOut(
            document_id=entry.document_id,
            version_id=entry.version_id,
            document=entry.path,
            title=entry.title,
            type=entry.kind,
            date=entry.date,
            count=group.count,
            places=[PlaceOut.of(place) for place in group.places],
        )


class ValueOut(Schema):
    label: str
    term: str = Field(
        description="Added to the query it keeps only these documents.", examples=["type:email"]
    )
    documents: int


class FacetOut(Schema):
    name: str
    values: list[ValueOut]


class ChoiceOut(Schema):
    document_id: UUID
    document: str


class SearchOut(Schema):
    query: str
    read_as: str = Field(description="The query as it was understood.")
    is_complete: bool = Field(description="Every document that matches is counted; else the best passages.")
    rebuilding: int = Field(description="Documents that cannot be ranked yet: the index is being rebuilt.")
    documents: int | None = Field(description="How many documents match; null where passages are ranked.")
    places: int | None = Field(description="How many places match in all of them.")
    page: int
    pages: int
    groups: list[GroupOut] = Field(description="Documents with what was found in each.")
    facets: list[FacetOut]
    results: list[PassageOut] = Field(description="The best passages for the plain words, best first.")
    choices: list[ChoiceOut] = Field(
        description="Documents that the words may mean, where they fit several: ask again with document_id."
    )

    @staticmethod
    def of(text: str, found: lookup.Found, rebuilding: int) -> "SearchOut":
        return SearchOut(
            query=text,
            read_as=str(found.query),
            is_complete=found.is_exact,
            rebuilding=rebuilding,
            documents=found.documents,
            places=found.places,
            page=found.page,
            pages=found.pages,
            groups=[GroupOut.of(group) for group in found.groups],
            facets=[FacetOut.model_validate(facet) for facet in found.facets],
            results=[PassageOut.of(result) for result in found.passages],
            choices=[ChoiceOut(document_id=each.pk, document=each.path) for each in found.choices],
        )


class SavedIn(Schema):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    query: Text


class SavedOut(Schema):
    id: UUID
    name: str
    query: str
    created: datetime


class TermsIn(Schema):
    terms: list[Text] = Field(max_length=report.MOST_TERMS)


class PartIn(Schema):
    """Which part of what is found."""

    limit: Limit = Field(10, description="Of ranked passages; what the exact parts find is complete.")
    page: int = Field(1, ge=1, description="Of documents that the exact parts find, twenty on each.")
    order: lookup.Order = "places"
    document_id: UUID | None = Field(None, description="Only this document, with all of its places.")


@router.get("/matters/{uuid:matter_id}/search", response=SearchOut, summary="Find documents and passages")
def search_matter(request: HttpRequest, matter_id: UUID, q: str, part: Query[PartIn]) -> SearchOut:
    """In the query language: exact parts decide which documents are found, plain words rank passages."""
    person = person_of(request)
    matter = access.matter_for(person, matter_id)
    only = None if part.document_id is None else [access.document_for(person, part.document_id).pk]
    places = lookup.PLACES if only is None else lookup.ALL_PLACES
    wanted = lookup.Wanted(part.page, part.order, places, part.limit)
    found = lookup.find(access.scope_for(person, matter, only), q, wanted)
    return SearchOut.of(q, found, generations.rebuilding(frozenset({matter.pk})))


@router.get("/documents/{uuid:document_id}/like", response=list[GroupOut], summary="More like this passage")
def search_like(
    request: HttpRequest, document_id: UUID, offset: Annotated[int, Field(ge=0)] = 0, limit: Limit = 10
) -> list[GroupOut]:
    """Documents of the matter that say what stands at this offset of the document, the most alike first."""
    person = person_of(request)
    document = access.document_for(person, document_id)
    scope, wanted = access.scope_for(person, document.matter), lookup.Wanted(passages=limit)
    groups = lookup.like(scope, document.current, offset, wanted) if document.current else []
    return [GroupOut.of(each) for each in groups]


@router.post("/matters/{uuid:matter_id}/searches/report", summary="Hits of each term, as CSV")
def report_hits(request: HttpRequest, matter_id: UUID, body: TermsIn) -> HttpResponse:
    """For each term: documents, hits, and documents that no other term of the list finds."""
    person = person_of(request)
    scope = access.scope_for(person, access.matter_for(person, matter_id))
    lines = report.lines(scope, body.terms)
    return HttpResponse(report.as_csv(lines), content_type="text/csv; charset=utf-8")


@router.get("/matters/{uuid:matter_id}/searches", response=list[SavedOut], summary="Saved searches")
def list_searches(request: HttpRequest, matter_id: UUID) -> list[SavedSearch]:
    person = person_of(request)
    return list(saved.of(person, access.matter_for(person, matter_id)))


@router.post(
    "/matters/{uuid:matter_id}/searches", response={201: SavedOut, 409: Problem}, summary="Save a search"
)
def save_search(request: HttpRequest, matter_id: UUID, body: SavedIn) -> Status[SavedSearch]:
    """Under a name that is used already it replaces the other one."""
    person = person_of(request)
    matter = access.matter_for(person, matter_id)
    return Status(201, saved.keep(person, matter, body.name, body.query))


@router.delete("/searches/{uuid:search_id}", response={204: None}, summary="Delete a saved search")
def delete_search(request: HttpRequest, search_id: UUID) -> Status[None]:
    saved.forget(access.saved_search_for(person_of(request), search_id))
    return Status(204, None)
