"""The OpenAI wire format: a matter is a model, and what it says has its citations in it.

It is also served at /v1/chat/completions and /v1/models, where such clients look for it.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router, Schema
from pydantic import Field

from inference.errors import InferenceError
from knowledge import access, answers, callers, differences, markdown, streams, writing
from knowledge.api import cursors, idempotency
from knowledge.api.auth import person_of, watch
from knowledge.api.differing import DifferenceOut
from knowledge.api.problems import problem
from knowledge.draft import Event, told
from knowledge.models import Answer, Citation, Matter
from knowledge.pins import at
from knowledge.search import BadQuery

router = Router(tags=["OpenAI"])
MODEL = "matter:"
CUT = " [cut off, not checked]"
UNVERIFIED = " [not verified]"


class Part(Schema):
    type: str = Field(examples=["text"])
    text: str = ""


class Message(Schema):
    role: str = Field(examples=["user"])
    content: str | list[Part] = Field(examples=["What is the limit of liability?"])

    def words(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if part.type == "text")


class ChatIn(Schema):
    model: str = Field(
        max_length=100,
        description="`matter:` and the id of a matter.",
        examples=["matter:6f1c2b1e-8a54-4d0e-9a3b-0d6a5f0c7e11"],
    )
    messages: list[Message] = Field(
        min_length=1, max_length=1000, description="The last one of the user is the question."
    )
    stream: bool = False


class ModelOut(Schema):
    id: str = Field(examples=["matter:6f1c2b1e-8a54-4d0e-9a3b-0d6a5f0c7e11"])
    object: str = Field("model", examples=["model"])
    created: int
    owned_by: str = Field("pincite", examples=["pincite"])
    name: str = Field(description="Of the matter.")


class ModelsOut(Schema):
    object: str = Field("list", examples=["list"])
    data: list[ModelOut]


class ChatMessageOut(Schema):
    role: str = Field("assistant", examples=["assistant"])
    content: str


class ChatChoiceOut(Schema):
    index: int = 0
    message: ChatMessageOut
    finish_reason: str = Field("stop", examples=["stop"])


class ChatOut(Schema):
    id: str = Field(description="The id of the answer, as /answers/{answer_id} knows it.")
    object: str = Field("chat.completion", examples=["chat.completion"])
    created: int
    model: str
    choices: list[ChatChoiceOut]
    citations: list[dict[str, Any]] = Field(description="Document, page, span and verbatim quote of each.")
    differences: list[DifferenceOut] = Field(description="Where these differ.")


@router.get("/models", response=ModelsOut, summary="Your matters, as models")
def list_models(request: HttpRequest, place: Query[cursors.Place]) -> ModelsOut:
    rows = access.matters_of(person_of(request)).order_by("name", "pk")[: place.limit]
    return ModelsOut(object="list", data=[_model(row) for row in rows])


@router.post(
    "/chat/completions",
    response={200: ChatOut},
    summary="Ask a matter in the OpenAI wire format",
    openapi_extra={"responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}},
)
def complete(request: HttpRequest, body: ChatIn) -> HttpResponseBase | ChatOut:
    """Sentences carry the numbers of their citations; one that the sources do not carry says so.

    For windows that render Markdown: what documents and the model say is escaped, so that no link or image of
    theirs is alive. The `citations` hold every quote as the source has it.
    """
    person = person_of(request)
    matter = access.matter_for(person, _matter_id(body.model))
    idempotency.about(request, matter)
    asked = [message.words() for message in body.messages if message.role == "user"]
    if not asked:
        raise BadQuery("There is no message of the user.")
    answer = answers.ask(access.scope_for(person, matter), matter, person, asked[-1])
    if body.stream:
        return _stream(answer, body.model, watch(request, matter.pk))
    is_gone = callers.gone(request)
    ended = writing.complete(answer.pk, is_gone)
    if is_gone():
        raise InferenceError(callers.HUNG_UP)
    answer = access.answer_for(person, answer.pk)  # again: writing took its time
    if answer.state == Answer.State.FAILED:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, answer.reason, wait=ended.get("retry_after"))
    return _whole(answer, body.model)


def _matter_id(model: str) -> UUID:
    try:
        return UUID(model.removeprefix(MODEL))
    except ValueError as error:
        raise Http404("No such matter.") from error


def _model(matter: Matter) -> ModelOut:
    created = int(matter.created.timestamp())
    return ModelOut(
        id=f"{MODEL}{matter.pk}", object="model", created=created, owned_by="pincite", name=matter.name
    )


def _whole(answer: Answer, model: str) -> ChatOut:
    rows = list(answer.citations.select_related("version__document"))
    cited = [told(row) for row in rows]
    said = [_sentence(row, row["citations"]) for row in answer.sentences]
    content = _caution(answer) + (" ".join(said) + _sources(cited) or answer.reason)
    message = ChatMessageOut(role="assistant", content=content)
    choice = ChatChoiceOut(index=0, message=message, finish_reason=_finish(is_cut=answer.is_cut))
    return ChatOut(
        id=str(answer.pk),
        object="chat.completion",
        created=int(answer.created.timestamp()),
        model=model,
        choices=[choice],
        citations=cited,
        differences=[DifferenceOut.of(found) for found in differences.of(rows)],
    )


def _caution(answer: Answer) -> str:
    return f"{markdown.plain(answer.caution)}\n\n" if answer.caution else ""


def _finish(*, is_cut: bool) -> str:
    return "length" if is_cut else "stop"


def _sentence(row: Mapping[str, Any], numbers: Iterable[int]) -> str:
    marks = "".join(f" [{number}]" for number in numbers)
    return markdown.plain(row["text"]) + (CUT if row.get("cut") else marks or UNVERIFIED)


def _sources(cited: list[dict[str, Any]]) -> str:
    if not cited:
        return ""
    lines = [
        markdown.plain(f"[{row['number']}] {row['document']}, {at(row['page_label'])}: “{row['quote']}”")
        for row in cited
    ]
    return _differences(cited) + "\n\nSources:\n" + "\n".join(lines)


def _differences(cited: list[dict[str, Any]]) -> str:
    lines = [
        markdown.plain(f"[{each.one}] says “{each.values[0]}”, [{each.other}] “{each.values[1]}”.")
        for each in differences.among([(row["document_id"], _Quote(row)) for row in cited])
    ]
    return "\n\nSources differ:\n" + "\n".join(lines) if lines else ""


class _Quote:
    def __init__(self, row: dict[str, Any]) -> None:
        self.number: int = row["number"]
        self.quote: str = row["quote"]


def _stream(answer: Answer, model: str, allowed: streams.Allowed) -> StreamingHttpResponse:
    keys = [
        told(row)
        for row in answer.citations.filter(origin=Citation.Origin.KEY).select_related("version__document")
    ]
    streams.give_back_connection()
    response = StreamingHttpResponse(_chunks(answer, model, keys, allowed), content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


async def _chunks(
    answer: Answer, model: str, keys: list[dict[str, Any]], allowed: streams.Allowed
) -> AsyncIterator[bytes]:
    """Whole checked sentences; then the sources and the end. A stream that is revoked just stops."""
    chunks = _Chunks(answer, model, keys)
    events = streams.server_sent(lambda cancelled: chunks.of(writing.write(answer.pk, cancelled)), allowed)
    async for frame in events:
        yield frame.removeprefix(b"event: chunk\n")  # other frames are comments that keep the line open
    if chunks.is_complete:
        yield b"data: [DONE]\n\n"


class _Chunks:
    """The events of an answer as chunks of a chat completion."""

    def __init__(self, answer: Answer, model: str, keys: list[dict[str, Any]]) -> None:
        self._answer, self._model = answer, model
        self._cited = {row["number"]: row for row in keys}
        self.is_complete = False

    def of(self, events: Iterator[Event]) -> Iterator[Event]:
        yield self._chunk({"role": "assistant", "content": _caution(self._answer)})
        is_cut = False
        for event in events:
            is_cut = event.kind == "done" and bool(event.data.get("cut"))
            if event.kind == "sentence":
                self._cited |= {row["number"]: row for row in event.data["citations"]}
                numbers = [row["number"] for row in event.data["citations"]]
                yield self._chunk({"content": _sentence(event.data, numbers) + " "})
            elif event.kind in {"problem", "busy"}:
                wait = event.data.get("retry_after")
                error = {"message": event.data["reason"], "type": event.kind, "retry_after": wait}
                yield Event("chunk", {"error": error})
                return  # neither “stop” nor the end: a client must not take this for an answer
        sources = _sources([self._cited[number] for number in sorted(self._cited)])
        yield self._chunk({"content": sources or self._answer.reason})
        yield self._chunk({}, _finish(is_cut=is_cut))
        self.is_complete = True

    def _chunk(self, delta: dict[str, str], finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        told = {
            "id": str(self._answer.pk),
            "object": "chat.completion.chunk",
            "created": int(self._answer.created.timestamp()),
            "model": self._model,
            "choices": [choice],
        }
        return Event("chunk", told)
