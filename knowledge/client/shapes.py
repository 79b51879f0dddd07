"""What the service tells, as the client gives it; fields that are not named here are left out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Matter(Shape):
    id: UUID
    name: str
    created: datetime
    documents: int
    passages: int
    is_paused: bool


class Document(Shape):
    id: UUID
    matter_id: UUID
    path: str
    title: str
    size: int
    version: int
    state: str
    note: str
    pages: int


class Page(Shape):
    number: int
    label: str
    kind: str
    start: int
    text: str


class Passage(Shape):
    id: UUID
    document_id: UUID
    version_id: UUID
    document: str
    page: int
    page_label: str
    start: int
    end: int
    text: str
    score: float


class Citation(Shape):
    number: int
    document_id: UUID
    version_id: UUID
    document: str
    page: int
    page_label: str
    start: int
    end: int
    quote: str  # the source's own words, checked


class Sentence(Shape):
    text: str
    citations: list[int]  # numbers; none: not verified


class Answer(Shape):
    id: UUID
    matter_id: UUID
    question: str
    state: str
    reason: str
    sentences: list[Sentence]
    citations: list[Citation]
    model: str
    created: datetime


class Event(Shape):
    kind: str
    data: dict[str, Any]
