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
    width: float  # points
    height: float
    has_picture: bool
    text: str
    marks: list[tuple[float, float, float, float]]  # left, top, right, bottom in points


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
    cut: bool = False  # half a sentence, where the answer stopped


class Difference(Shape):
    citations: tuple[int, int]  # numbers of two that say the same thing with another value
    values: tuple[str, str]  # what each of them says


class Answer(Shape):
    id: UUID
    matter_id: UUID
    question: str
    state: str
    reason: str
    caution: str = ""  # the quotes may not answer the question
    sentences: list[Sentence]
    citations: list[Citation]
    differences: list[Difference] = []
    model: str
    created: datetime


class Event(Shape):
    kind: str
    data: dict[str, Any]


class Role(Shape):
    role: str
    rank: int
    may: str


class Member(Shape):
    username: str
    role: str
    service: bool


class KnownGroup(Shape):
    name: str
    people: int


class Group(Shape):
    group: str
    role: str


class Explanation(Shape):
    person: str
    may_read: bool
    role: str | None
    because: list[str]


class Wall(Shape):
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


class Reading(Shape):
    document_id: UUID
    path: str
    kind: str


class Hold(Shape):
    reason: str
    since: datetime
    placed_by: str | None
    lifted: datetime | None


class Session(Shape):
    id: int
    address: str
    agent: str
    at: datetime
    is_here: bool


class AuditEvent(Shape):
    sequence: int
    at: datetime
    person: str
    via: str
    act: str
    matter_id: UUID | None
    subject: str
    said: str | None
    details: dict[str, Any]
    digest: str
