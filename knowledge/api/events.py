"""An answer as events that can be taken up again: the id of a sentence is its number and a digest so far.

Who comes back with `Last-Event-ID` gets what is after it. An answer that was broken off is written anew, and
as a rule says the same again: what was told is not told twice. Where it does not, the event `anew` says that
what was told no longer holds, and everything follows.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from hashlib import sha256
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
DIGITS = 12
ID = re.compile(rf"[1-9][0-9]{{0,5}}-[0-9a-f]{{{DIGITS}}}")
ANEW = b"event: anew\ndata: {}\n\n"
STREAM = {
    "schema": {"type": "string"},
    "example": 'id: 1-2c26b46b68ff\nevent: sentence\ndata: {"text": "…"}\n\nevent: done\ndata: {}\n\n',
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
    told_until = last_event_id if ID.fullmatch(last_event_id) else ""
    frames = _frames(answer, told_until, watch(request, answer.matter_id))
    streams.give_back_connection()
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


async def _frames(answer: Answer, told_until: str, allowed: streams.Allowed) -> AsyncIterator[bytes]:
    told_before = _Told(told_until)
    async for frame in streams.server_sent(lambda cancelled: _events(answer, cancelled), allowed):
        for each in told_before.next(frame):
            yield each


class _Told:
    """Gives sentences their ids, and holds back what was told until it is seen whether it is the same."""

    def __init__(self, until: str) -> None:
        self._until = until  # the id of the last sentence that was told, or ""
        self._held: list[bytes] = []
        self._number, self._digest = 0, sha256()

    def next(self, frame: bytes) -> list[bytes]:
        if frame.startswith(b"event: sentence"):
            frame = self._with_id(frame)
        if not self._until:
            return [frame]
        if frame.startswith(b"id: "):
            self._held.append(frame)
            is_last = self._number == int(self._until.split("-")[0])
            return (
                self._released(is_same=frame.startswith(f"id: {self._until}\n".encode())) if is_last else []
            )
        if frame.startswith((b"event: done", b"event: problem")):  # it is shorter than what was told
            return [*self._released(is_same=False), frame]
        return [] if frame.startswith(b"event: text") else [frame]

    def _with_id(self, frame: bytes) -> bytes:
        text = json.loads(frame.split(b"data: ", 1)[1])["text"]
        self._number += 1
        self._digest.update(f"{text}\n".encode())
        return f"id: {self._number}-{self._digest.hexdigest()[:DIGITS]}\n".encode() + frame

    def _released(self, *, is_same: bool) -> list[bytes]:
        held, self._held, self._until = self._held, [], ""
        return [] if is_same else [ANEW, *held]


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
