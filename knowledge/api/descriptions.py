"""What a document says about itself, with its family and its conversation, as the API gives it."""

from datetime import datetime
from uuid import UUID

from ninja import Schema
from pydantic import Field

from knowledge import threads
from knowledge.api.schemas import DocumentOut, document_out
from knowledge.models import Correspondent, Document, Kind


class CorrespondentOut(Schema):
    role: Correspondent.Role
    name: str
    address: str


class DescriptionOut(Schema):
    """Of the newest version; what is not known is empty or null."""

    kind: Kind | None
    author: str
    custodian: str
    date: datetime | None = Field(description="Sent, else last changed, else written.")
    sent: datetime | None
    written: datetime | None
    changed: datetime | None
    language: str = Field(description="ISO 639-1.", examples=["en"])
    bates_first: str
    bates_last: str
    message_id: str
    correspondents: list[CorrespondentOut]


class DocumentDetailOut(DocumentOut):
    description: DescriptionOut
    root_id: UUID | None = Field(description="The file that was uploaded, of which this one came.")
    children: list[UUID] = Field(description="Its attachments, or the members of the archive.")
    thread: list[UUID] = Field(description="The e-mails of its conversation, oldest first, itself included.")


def detail_out(document: Document) -> DocumentDetailOut:
    version = document.latest
    people = [
        CorrespondentOut(role=Correspondent.Role(row.role), name=row.name, address=row.address)
        for row in version.correspondents.all()
    ]
    own = {name: getattr(version, name) for name in DescriptionOut.model_fields if name != "correspondents"}
    own["kind"] = Kind(version.kind) if version.kind else None
    return DocumentDetailOut(
        **document_out(document).model_dump(),
        description=DescriptionOut(**own, correspondents=people),
        root_id=document.root_id,
        children=list(document.children.values_list("pk", flat=True)),
        thread=[each.document_id for each in threads.messages(version)],
    )
