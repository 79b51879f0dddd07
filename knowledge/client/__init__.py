"""A typed client of the REST API, thin over httpx. It imports nothing of the service.

from knowledge.client import Client

with Client("https://pincite.example", "pincite_…") as pincite:
    for matter in pincite.matters():
        answer = pincite.ask(matter.id, "What is the limit of liability?")
"""

import json
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx

from knowledge.client.shapes import Answer, Document, Event, Matter, Page, Passage, Shape

__all__ = ["Answer", "Client", "Document", "Event", "Matter", "Page", "Passage", "Problem"]

S = TypeVar("S", bound=Shape)
SETTLED = {"searchable", "partial", "unpacked", "duplicate", "cancelled", "failed"}


class Problem(Exception):
    """The service said no: RFC 9457 problem details."""

    def __init__(self, status: int, detail: str, more: dict[str, Any]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.more = more


class Client:
    def __init__(self, url: str, token: str, *, seconds: float = 300.0) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

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

    def page(self, version_id: UUID, number: int) -> Page:
        return Page.model_validate(self._told("GET", f"/versions/{version_id}/pages/{number}"))

    def ask(self, matter_id: UUID, question: str, document_ids: list[UUID] | None = None) -> Answer:
        """The complete answer."""
        told = self._told("POST", f"/matters/{matter_id}/ask", json=_question(question, document_ids))
        return Answer.model_validate(told)

    def stream(self, matter_id: UUID, question: str) -> Iterator[Event]:
        """The events of an answer as it is written: answer, text, sentence, then done or problem."""
        path, accept = f"/matters/{matter_id}/ask", {"Accept": "text/event-stream"}
        with self._http.stream("POST", path, json=_question(question, None), headers=accept) as response:
            if response.is_error:
                response.read()
                raise _problem(response)
            yield from _events(response.iter_lines())

    def answer(self, answer_id: UUID) -> Answer:
        return Answer.model_validate(self._told("GET", f"/answers/{answer_id}"))

    def _all(self, path: str, shape: type[S]) -> Iterator[S]:
        """Every row of a list, piece by piece."""
        following: str | None = path
        while following:
            response = self._http.get(following)
            if response.is_error:
                raise _problem(response)
            yield from (shape.model_validate(row) for row in response.json())
            following = response.links.get("next", {}).get("url")

    def _told(self, method: str, path: str, **words: Any) -> Any:
        response = self._http.request(method, path, **words)
        if response.is_error:
            raise _problem(response)
        return response.json() if response.content else None


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


def _problem(response: httpx.Response) -> Problem:
    try:
        told = response.json()
    except ValueError:
        told = {}
    return Problem(response.status_code, str(told.get("detail", response.reason_phrase)), told)
