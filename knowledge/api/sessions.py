"""Where a person is signed in with a browser, over REST."""

from datetime import datetime
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, sign_ins
from knowledge.api import cursors
from knowledge.api.auth import person_of

router = Router(tags=["sessions"])


class SessionOut(Schema):
    id: int
    address: str
    agent: str = Field(description="What the browser says it is.")
    at: datetime
    is_here: bool = Field(description="The session of this very call.")


@router.get("/sessions", response=list[SessionOut], summary="Where you are signed in, newest first")
def list_sessions(request: HttpRequest, response: HttpResponse, at: Query[cursors.Place]) -> list[SessionOut]:
    rows = cursors.piece(request, response, access.sign_ins_of(person_of(request)).open(), ("-at", "-pk"), at)
    here = request.session.session_key
    return [
        SessionOut(
            id=row.pk, address=row.address, agent=row.agent, at=row.at, is_here=row.session_key == here
        )
        for row in rows
    ]


@router.delete(
    "/sessions", response={204: None}, summary="Sign out everywhere but in the session of this call"
)
def end_sessions(request: HttpRequest) -> Status[None]:
    person = person_of(request)
    sign_ins.end_others(access.sign_ins_of(person), request.session.session_key)
    return Status(HTTPStatus.NO_CONTENT, None)


@router.delete("/sessions/{int:sign_in_id}", response={204: None}, summary="Sign out there")
def end_session(request: HttpRequest, sign_in_id: int) -> Status[None]:
    sign_ins.end(access.sign_in_for(person_of(request), sign_in_id))
    return Status(HTTPStatus.NO_CONTENT, None)
