"""An answer as events that can be taken up again: each sentence has its number as its id.

Who comes back with `Last-Event-ID` gets what is after it. Writing is greedy, so an answer that was broken off
says the same again when it is written anew; what was told is not told twice.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Header, Router

from knowledge import access, streams, writing
from knowledge.api.auth import person_of, watch
from knowledge.draft import Event, told
from knowledge.models import Answer

router = Router(tags=["answers"])
WAIT_SECONDS = 0.5
STREAM = {
    "schema": {"type": "string"},
    "example": 'id: 1\nevent: sentence\ndata: {"text": "…", "citations": []}\n\nevent: done\ndata: {}\n\n',
}


@router.get(
    "/answers/{uuid:answer_id}/events",
    summary="An answer as it is written, as events; with Last-Event-ID from there on",
    openapi_extra={"responses": {200: {"content": {"text/event-stream": STREAM}}}},
)
def answer_events(
    request: HttpRequest, answer_id: UUID, last_event_id: Header[str] = ""
) -> StreamingHttpResponse:
    """`sentence` events have ids; `text` events are pieces on the way to the next sentence and have none."""
    answer = access.answer_for(person_of(request), answer_id)
    after = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else 0
    frames = _frames(answer, after, watch(request, answer.matter_id))
    streams.give_back_connection()
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


async def _frames(answer: Answer, after: int, allowed: streams.Allowed) -> AsyncIterator[bytes]:
    number = 0
    async for frame in streams.server_sent(lambda cancelled: _events(answer, cancelled), allowed):
        if frame.startswith(b"event: sentence"):
            number += 1
            frame = f"id: {number}\n".encode() + frame
        is_told = frame.startswith(b"event: text") and number < after
        if not is_told and not (frame.startswith(b"id: ") and number <= after):
            yield frame


def _events(answer: Answer, cancelled: Callable[[], bool]) -> Iterator[Event]:
    """Of a complete answer its sentences as they are stored; another one is written now.

    While somebody else writes it (or the reader who was cut off still seems to be there) this one waits.
    """
    while not cancelled():
        answer.refresh_from_db(fields=["state", "sentences", "reason"])
        streams.give_back_connection()
        if answer.state in {Answer.State.DONE, Answer.State.NOTHING}:
            yield from _stored(answer)
            return
        for event in writing.write(answer.pk, cancelled):
            if event.kind != "busy":
                yield event
                continue
            time.sleep(WAIT_SECONDS)
            break
        else:
            return


def _stored(answer: Answer) -> Iterator[Event]:
    cited: dict[int, dict[str, Any]] = {
        row.number: told(row) for row in answer.citations.select_related("version__document")
    }
    streams.give_back_connection()
    for row in answer.sentences:
        shown = [cited[number] for number in row["citations"] if number in cited]
        yield Event("sentence", {**row, "citations": shown})
    yield Event("done", {"state": answer.state, "reason": answer.reason, "cut": answer.is_cut})
