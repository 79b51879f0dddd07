"""A typed client of the REST API, thin over httpx. It imports nothing of the service.

from knowledge.client import Client

with Client("https://pincite.example", "pincite_…") as pincite:
    for matter in pincite.matters():
        answer = pincite.ask(matter.id, "What is the limit of liability?")
"""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from knowledge.client.calls import Problem, problem
from knowledge.client.permissions import Permissions
from knowledge.client.shapes import Answer, Document, Event, Matter, Page, Passage, Reading

__all__ = ["Answer", "Client", "Document", "Event", "Matter", "Page", "Passage", "Problem", "Reading"]

SETTLED = {"searchable", "partial", "unpacked", "duplicate", "cancelled", "failed"}


class Client(Permissions):
    def matters(self) -> Iterator[Matter]:
        return self._all("/matters", Matter)

    def create_matter(self, name: str, *, key: str = "") -> Matter:
        """With a `key` the same call may be made again: it is done once."""
        headers = {"Idempotency-Key": key} if key else {}
        return Matter.model_validate(self._told("POST", "/matters", json={"name": name}, headers=headers))

    def delete_matter(self, matter_id: UUID) -> None:
        self._told("DELETE", f"/matters/{matter_id}")

    def documents(self, matter_id: UUID) -> Iterator[Document]:
        return self._all(f"/matters/{matter_id}/documents", Document)

    def document(self, document_id: UUID) -> Document:
        return Document.model_validate(self._told("GET", f"/documents/{document_id}"))

    def upload(self, matter_id: UUID, path: str, content: bytes) -> Document:
        """Send a file; it is processed in the background: see `wait`."""
        files = {"file": (PurePosixPath(path).name, content)}
        told = self._told("POST", f"/matters/{matter_id}/documents", files=files, data={"path": path})
        return Document.model_validate(told["document"])

    def wait(self, document_id: UUID, seconds: float = 300.0) -> Document:
        """The document when it is settled. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while (document := self.document(document_id)).state not in SETTLED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{document.path} is still {document.state}.")
            time.sleep(0.5)
        return document

    def search(self, matter_id: UUID, query: str, limit: int = 10) -> list[Passage]:
        told = self._told("GET", f"/matters/{matter_id}/search", params={"q": query, "limit": limit})
        return [Passage.model_validate(row) for row in told["results"]]

    def page(self, version_id: UUID, number: int, start: int = 0, end: int = 0) -> Page:
        """With a span of the version's text, as a citation has it, `marks` says what that covers."""
        params = {"start": start, "end": end}
        return Page.model_validate(self._told("GET", f"/versions/{version_id}/pages/{number}", params=params))

    def picture(self, version_id: UUID, number: int, width: int = 1200) -> bytes:
        """A page of a PDF or a picture as it is printed: PNG, so many pixels wide."""
        return self._bytes(f"/versions/{version_id}/pages/{number}/picture", width=width)

    def ask(self, matter_id: UUID, question: str, document_ids: list[UUID] | None = None) -> Answer:
        """The complete answer."""
        told = self._told("POST", f"/matters/{matter_id}/ask", json=_question(question, document_ids))
        return Answer.model_validate(told)

    def stream(self, matter_id: UUID, question: str) -> Iterator[Event]:
        """The events of an answer as it is written: answer, text, sentence, then done or problem."""
        path, accept = f"/matters/{matter_id}/ask", {"Accept": "text/event-stream"}
        words = {"json": _question(question, None), "headers": accept}
        with closing(self._sent("POST", path, stream=True, **words)) as response:
            if response.is_error:
                response.read()
                raise problem(response)
            yield from _events(response.iter_lines())

    def answer(self, answer_id: UUID) -> Answer:
        return Answer.model_validate(self._told("GET", f"/answers/{answer_id}"))

    def readings(self, matter_id: UUID) -> Iterator[Reading]:
        """The documents that are always read in full for my questions, or never."""
        return self._all(f"/matters/{matter_id}/reading", Reading)

    def set_reading(self, document_id: UUID, kind: str) -> None:
        """`full`: always read in full; `never`: never; empty: as the evidence suggests."""
        self._told("PUT", f"/documents/{document_id}/reading", json={"kind": kind})

    def unset_reading(self, document_id: UUID) -> None:
        self._told("DELETE", f"/documents/{document_id}/reading")


def _question(question: str, document_ids: list[UUID] | None) -> dict[str, Any]:
    only = {} if document_ids is None else {"document_ids": [str(each) for each in document_ids]}
    return {"question": question, **only}


def _events(lines: Iterator[str]) -> Iterator[Event]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield Event(kind=kind, data=json.loads(line.removeprefix("data: ")))
