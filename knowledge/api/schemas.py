"""What the API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, Field, StringConstraints

from knowledge import differences, documents, uploads
from knowledge.api.differing import DifferenceOut
from knowledge.models import Answer, Citation, Document, Evidence, Matter, Preference, Upload, Version
from knowledge.search import LONGEST_QUERY, Result
from knowledge.walls import Explanation


class Problem(Schema):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str | int]] = []


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class MatterIn(Schema):
    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")
    ] = Field(examples=["Harbour v. Crane Works"])


class MatterOut(Schema):
    id: UUID
    name: str
    created: datetime
    documents: int
    passages: int = Field(description="How many passages of it can be found.")
    is_paused: bool = Field(description="Its documents wait to be processed.")

    @staticmethod
    def of(matter: Matter) -> "MatterOut":
        return MatterOut(
            id=matter.pk,
            name=matter.name,
            created=matter.created,
            documents=matter.documents.count(),
            passages=documents.passages(matter).count(),
            is_paused=matter.is_paused,
        )


class ExplanationOut(Schema):
    person: str
    may_read: bool
    role: str | None
    because: list[str] = Field(description="Memberships, groups and walls that it comes from.")

    @staticmethod
    def of(found: Explanation) -> "ExplanationOut":
        role = None if found.role is None else found.role.label.lower()
        return ExplanationOut(
            person=found.person, may_read=role is not None, role=role, because=found.because
        )


class FileIn(Schema):
    path: str = Field(min_length=1, max_length=1000, examples=["letters/2031-05-04.pdf"])
    size: int = Field(
        description="Bytes of the whole file.", examples=[48_211], json_schema_extra={"minimum": 1}
    )


class UploadOut(Schema):
    id: UUID
    matter_id: UUID
    custodian: str
    created: datetime
    counts: dict[str, int] = Field(description="Files by state, with those refused and still arriving.")

    @staticmethod
    def of(upload: Upload) -> "UploadOut":
        counts = uploads.counts(upload)
        return UploadOut(
            id=upload.pk,
            matter_id=upload.matter_id,
            custodian=upload.custodian,
            created=upload.created,
            counts=counts,
        )


class TransferOut(Schema):
    id: UUID
    path: str
    size: int
    offset: int = Field(description="Bytes that are here; send the next piece from there.")
    document_id: UUID | None = Field(description="Once the file is complete.")
    outcome: str = Field(description="Once complete: queued, duplicate or unchanged.")

    @staticmethod
    def of(received: uploads.Received) -> "TransferOut":
        transfer, added = received.transfer, received.added
        return TransferOut(
            id=transfer.id,
            path=transfer.path,
            size=transfer.size,
            offset=transfer.offset,
            document_id=added.document.pk if added else None,
            outcome=added.outcome if added else "",
        )


class CountOut(Schema):
    count: int


class DocumentOut(Schema):
    id: UUID
    matter_id: UUID
    parent_id: UUID | None
    path: str
    title: str
    media_type: str
    size: int = Field(description="Bytes of the newest version.")
    version: int = Field(description="Number of the newest version.")
    state: Version.State
    reason: Version.Reason | None = Field(description="Why it failed, in a word.")
    note: str = Field(description="Why it failed or is searchable only in part.")
    same_as: str = Field(description="Path of the document with the same bytes, which is read in its place.")
    near: str = Field(description="Path of an earlier document that says almost the same.")
    pages: int
    stage: str = Field(description="What is being done while it is processed.")
    progress: int
    total: int

    @staticmethod
    def of(row: Any) -> "DocumentOut":
        """From a row of documents.listing()."""
        return DocumentOut(
            id=row.pk,
            matter_id=row.matter_id,
            parent_id=row.parent_id,
            path=row.path,
            title=row.title or "",
            media_type=row.media_type or "",
            size=row.size,
            version=row.version_number,
            state=Version.State(row.state),
            same_as=row.same_as or "",
            near=row.near or "",
            reason=Version.Reason(row.reason) if row.reason else None,
            note=row.note or "",
            pages=row.page_count or 0,
            stage=row.stage or "",
            progress=row.progress or 0,
            total=row.total or 0,
        )


class PieceOut(BaseModel):  # a search has hundreds, and a Schema is made ten times as slowly
    text: str
    marked: bool


class PassageOut(BaseModel):
    id: UUID
    document_id: UUID
    version_id: UUID
    document: str
    page: int
    page_label: str
    heading: str
    start: int = Field(description="Offset in code points in the version's text.")
    end: int
    text: str
    snippet: list[PieceOut]
    score: float

    @staticmethod
    def of(result: Result) -> "PassageOut":
        passage = result.passage
        return PassageOut(
            id=passage.pk,
            document_id=passage.version.document_id,
            version_id=passage.version_id,
            document=passage.version.document.path,
            page=passage.page_first,
            page_label=result.page_label,
            heading=passage.heading,
            start=passage.start,
            end=passage.end,
            text=passage.text,
            snippet=[PieceOut(text=piece.text, marked=piece.is_marked) for piece in result.snippet],
            score=result.score,
        )


# As knowledge.search.checked has it, which says better what is wrong.
QuestionText = Annotated[
    str,
    Field(
        json_schema_extra={
            "minLength": 1,
            "maxLength": LONGEST_QUERY,
            "pattern": r"[^\s\u0000-\u001f\u0085]",
        }
    ),
]


class QuestionIn(Schema):
    question: QuestionText = Field(examples=["What is the limit of liability?"])
    document_ids: list[UUID] | None = Field(
        None, description="Only these documents; all of them when left out."
    )
    follows: UUID | None = Field(
        None, description="The answer after which this is asked, in its conversation."
    )


class CitationOut(Schema):
    number: int
    origin: Citation.Origin
    document_id: UUID
    version_id: UUID
    document: str
    page: int
    page_label: str
    start: int
    end: int
    quote: str = Field(description="The source's own words, checked verbatim.")

    @staticmethod
    def of(row: Citation) -> "CitationOut":
        return CitationOut(
            number=row.number,
            origin=Citation.Origin(row.origin),
            document_id=row.version.document_id,
            version_id=row.version_id,
            document=row.version.document.path,
            page=row.page,
            page_label=row.page_label,
            start=row.start,
            end=row.end,
            quote=row.quote,
        )


class SentenceOut(Schema):
    text: str
    citations: list[int] = Field(description="Numbers of its citations; empty: not verified.")
    verbatim: bool = Field(
        default=True,
        description="The source says it word for word. If not, it was said in other words: compare.",
    )
    problem: str = Field("", description="What does not check out.")
    silent: bool = Field(
        default=False, description="It says that the sources do not answer; that is no claim."
    )
    cut: bool = Field(
        default=False, description="Half a sentence, where the answer stopped; it was not checked."
    )


class EvidenceOut(Schema):
    number: int
    kind: Evidence.Kind
    document_id: UUID
    document: str
    start: int
    end: int

    @staticmethod
    def of(row: Evidence) -> "EvidenceOut":
        return EvidenceOut(
            number=row.number,
            kind=Evidence.Kind(row.kind),
            document_id=row.version.document_id,
            document=row.version.document.path,
            start=row.start,
            end=row.end,
        )


class ReadingIn(Schema):
    kind: Literal["", "full", "never"] = Field(
        description="`full`: always read in full; `never`: never read; empty: as the evidence suggests."
    )


class ReadingOut(Schema):
    document_id: UUID
    path: str
    kind: Literal["full", "never"]

    @staticmethod
    def of(row: Preference) -> "ReadingOut":
        kind: Literal["full", "never"] = "full" if row.kind == Preference.Kind.FULL else "never"
        return ReadingOut(document_id=row.document_id, path=row.document.path, kind=kind)


class PlanOut(Schema):
    """What the generator read for an answer. Documents are named by their paths."""

    full: list[str] = Field([], description="Read in full.")
    by_passage: list[str] = []
    not_read: list[str] = Field([], description="Something was found in them, but there was no room.")
    in_part: list[str] = Field(
        [], description="Of those read by passage, those where more was found than there was room for."
    )
    passages_not_read: int = Field(
        0, description="Passages that were found but not read, or not to their end, of all documents."
    )
    is_short: bool = Field(default=False, description="One of the three best passages is among these.")
    not_read_count: int = Field(0, description="All documents in reach that were not read.")
    pinned: list[str] = Field([], description="Those the person always wants read in full.")
    too_long: list[str] = Field([], description="Of these, those longer than the budget.")
    excluded: list[str] = Field([], description="Those the person never wants read.")
    is_cut: bool = Field(
        default=False, description="Not even the best passage fitted; its beginning was read."
    )
    choices: list[str] = Field(
        [], description="The documents that the question may mean, where it does not say which."
    )
    anew: str = Field("", description="Why a conversation's reading began anew.")
    budget: int = Field(0, description="Tokens of sources that this question might add.")
    used: int = Field(0, description="Tokens of sources that it added.")


class AnswerOut(Schema):
    id: UUID
    matter_id: UUID
    follows: UUID | None = Field(description="The answer after which it was asked.")
    question: str
    state: Answer.State
    reason: str = Field(description="Why it failed, found nothing, or stopped before its end.")
    caution: str = Field(
        "", description="Said where the quotes may not answer the question, because none is worded like that."
    )
    sentences: list[SentenceOut]
    citations: list[CitationOut]
    differences: list[DifferenceOut] = Field(
        [], description="Where sources differ: which of them governs is for a person to say."
    )
    evidence: list[EvidenceOut]
    plan: PlanOut
    model: str
    prompt_tokens: int | None = Field(description="Tokens of all that the generator was given.")
    cached_tokens: int | None = Field(description="Of these, those that it had read before.")
    seconds_to_first_token: float | None
    seconds: float | None
    created: datetime

    @staticmethod
    def of(row: Answer) -> "AnswerOut":
        citations = list(row.citations.select_related("version__document"))
        evidence = row.evidence.select_related("version__document")
        return AnswerOut(
            id=row.pk,
            matter_id=row.matter_id,
            follows=row.follows_id,
            question=row.question,
            state=Answer.State(row.state),
            reason=row.reason,
            caution=row.caution,
            sentences=[SentenceOut(**sentence) for sentence in row.sentences],
            citations=[CitationOut.of(citation) for citation in citations],
            differences=[DifferenceOut.of(found) for found in differences.of(citations)],
            evidence=[EvidenceOut.of(read) for read in evidence],
            plan=PlanOut(**row.plan),
            model=row.model,
            prompt_tokens=row.prompt_tokens,
            cached_tokens=row.cached_tokens,
            seconds_to_first_token=row.seconds_to_first_token,
            seconds=row.seconds,
            created=row.created,
        )


class AddedOut(Schema):
    document: DocumentOut
    is_new: bool = Field(description="False when the same bytes were already there under the same path.")


def document_out(document: Document) -> DocumentOut:
    """A document with the state of its newest version and of its work."""
    return DocumentOut.of(documents.listing(document.matter).get(pk=document.pk))
