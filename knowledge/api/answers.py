"""Questions over REST: one JSON answer, or server-sent events while it is written."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router, Status

from knowledge import access, answers, callers, preferences, streams, writing
from knowledge.api import cursors
from knowledge.api.auth import person_of, watch
from knowledge.api.problems import problem
from knowledge.api.schemas import AnswerOut, Problem, QuestionIn, ReadingIn, ReadingOut
from knowledge.draft import Event
from knowledge.models import Answer

router = Router(tags=["answers"])


@router.post(
    "/matters/{uuid:matter_id}/ask",
    response={200: AnswerOut, 422: Problem, 503: Problem},
    summary="Ask a question about a matter",
    description=(
        "With `Accept: text/event-stream` the answer comes as events: `answer` (evidence and key quotes), "
        "`text` (pieces as generated), `sentence` (a completed sentence with its checked citations), "
        "then `done` or `problem` (with `retry_after` in seconds, null where waiting will not help)."
    ),
)
def ask(request: HttpRequest, matter_id: UUID, body: QuestionIn) -> HttpResponseBase | AnswerOut:
    person = person_of(request)
    matter = access.matter_for(person, matter_id)
    scope = access.scope_for(person, matter, body.document_ids)
    follows = access.followed_for(person, matter, body.follows) if body.follows else None
    answer = answers.ask(scope, matter, person, body.question, follows)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return stream(answer, watch(request, matter_id))
    is_gone = callers.gone(request)
    ended = writing.complete(answer.pk, is_gone)
    if is_gone():
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, callers.HUNG_UP)
    answer = access.answer_for(person, answer.pk)  # again: writing took its time
    if answer.state == Answer.State.FAILED:
        stored = {"answer": str(answer.pk), "answer_url": f"/api/v1/answers/{answer.pk}"}
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, answer.reason, wait=ended.get("retry_after"), **stored)
    return AnswerOut.of(answer)


@router.get("/answers/{uuid:answer_id}", response=AnswerOut, summary="A stored answer")
def get_answer(request: HttpRequest, answer_id: UUID) -> AnswerOut:
    return AnswerOut.of(access.answer_for(person_of(request), answer_id))


@router.put(
    "/documents/{uuid:document_id}/reading",
    response=ReadingIn,
    summary="Always read a document in full for my questions, or never",
)
def put_reading(request: HttpRequest, document_id: UUID, body: ReadingIn) -> ReadingIn:
    person = person_of(request)
    preferences.choose(person, access.document_for(person, document_id), body.kind)
    return body


@router.get(
    "/documents/{uuid:document_id}/reading",
    response=ReadingIn,
    summary="Whether I want a document always read in full, or never",
)
def get_reading(request: HttpRequest, document_id: UUID) -> ReadingIn:
    person = person_of(request)
    return ReadingIn(kind=preferences.kind_of(person, access.document_for(person, document_id)))


@router.delete(
    "/documents/{uuid:document_id}/reading",
    response={204: None},
    summary="Read a document for my questions as the evidence suggests",
)
def delete_reading(request: HttpRequest, document_id: UUID) -> Status[None]:
    person = person_of(request)
    preferences.choose(person, access.document_for(person, document_id), "")
    return Status(HTTPStatus.NO_CONTENT, None)


@router.get(
    "/matters/{uuid:matter_id}/reading",
    response=list[ReadingOut],
    summary="Documents of which I said that they are always read in full, or never",
)
def list_readings(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[ReadingOut]:
    person = person_of(request)
    rows = preferences.of_matter(person, access.matter_for(person, matter_id)).select_related("document")
    return [ReadingOut.of(row) for row in cursors.piece(request, response, rows, ("pk",), at)]


def stream(answer: Answer, allowed: streams.Allowed) -> HttpResponse | StreamingHttpResponse:
    first = streams.frame(Event("answer", AnswerOut.of(answer).model_dump(mode="json")))
    streams.give_back_connection()
    response = StreamingHttpResponse(_frames(first, answer.pk, allowed), content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


async def _frames(first: bytes, answer_id: UUID, allowed: streams.Allowed) -> AsyncIterator[bytes]:
    yield first
    async for frame in streams.server_sent(lambda cancelled: writing.write(answer_id, cancelled), allowed):
        yield frame
