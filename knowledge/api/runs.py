"""Runs over REST: one question to every document, and research."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, runs, selection
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.schemas import Problem, QuestionText
from knowledge.models import Finding, Role, Run, Verdict

router = Router(tags=["runs"])
Settled = Literal["yes", "no", "undecided", ""]
Shown = Literal["yes", "no", "undecided", "no_generator", ""]


class RunIn(Schema):
    kind: Run.Kind = Field(Run.Kind.EVERY, description="`every`: each document by itself; or `research`.")
    question: QuestionText = Field(examples=["Which agreements have a cap on liability?"])
    document_ids: list[UUID] | None = Field(None, description="Only these; all of them when left out.")


class EstimateOut(Schema):
    documents: int
    unreadable: int = Field(description="Without text: left undecided for a person.")
    copies: int = Field(description="Left out: the same file as another one, which is read.")
    passages: int
    seconds: float
    is_measured: bool = Field(description="Whether the time is that of earlier runs on this machine.")
    asks_generator: bool = Field(description="Whether what the sentences leave open is put to the generator.")
    left_open: int = Field(description="Documents for which that is likely, by earlier runs.")
    seconds_each: float | None = Field(
        description="What it takes for one, included in `seconds`; null: not measured yet, and not included."
    )


class FindingOut(Schema):
    document_id: UUID
    version_id: UUID
    document: str
    page: int
    page_label: str
    start: int
    end: int
    quote: str = Field(description="The source's own words, checked verbatim.")
    score: float

    @staticmethod
    def of(row: Finding) -> "FindingOut":
        return FindingOut(
            document_id=row.version.document_id,
            version_id=row.version_id,
            document=row.version.document.path,
            page=row.page,
            page_label=row.page_label,
            start=row.start,
            end=row.end,
            quote=row.quote,
            score=row.score,
        )


class VerdictOut(Schema):
    document_id: UUID
    document: str
    verdict: str = Field(description="What counts: yes, no or undecided; empty until it was looked at.")
    machine: str = Field(description="What the machine said.")
    score: float | None = Field(description="Likeness of its sentences; null where the generator decided.")
    note: str
    model: str = Field(
        description="The generator that answered; empty: none was asked, or it failed, as the note says."
    )
    prompt_tokens: int | None = Field(
        description="Tokens of all that it was given for this document; null where that was not told."
    )
    cached_tokens: int | None = Field(description="Of these, those that it had read before.")
    settled_by: str
    settled_at: datetime | None
    quotes: list[FindingOut]

    @staticmethod
    def of(row: Verdict) -> "VerdictOut":
        return VerdictOut(
            document_id=row.document_id,
            document=row.document.path,
            verdict=row.effective,
            machine=row.value,
            score=row.score,
            note=row.note,
            model=row.model,
            prompt_tokens=row.prompt_tokens,
            cached_tokens=row.cached_tokens,
            settled_by=str(row.settled_by or ""),
            settled_at=row.settled_at,
            quotes=[FindingOut.of(found) for found in row.findings.all()],
        )


class RunOut(Schema):
    id: UUID
    matter_id: UUID
    kind: Run.Kind
    question: str
    state: Run.State
    note: str
    asker: str
    estimate: dict[str, Any]
    counts: dict[str, int] = Field(description="Documents by verdict, and `waiting`.")
    generated_noes: int = Field(description="Of the no's, those that are the generator's word alone.")
    steps: list[dict[str, Any]] = Field(description="Of research: what was done, in order.")
    report: list[dict[str, Any]] = Field(
        description="Of research: headings with lines; numbers name findings."
    )
    findings: list[FindingOut] = Field(description="Of research, in the order of their numbers, from 1.")
    model: str = Field(description="The generator that was asked; empty: none was, or none answered.")
    prompt_tokens: int | None = Field(
        description="Tokens that it was given for this run; calls that failed told none, so it may be more."
    )
    cached_tokens: int | None = Field(description="Of these, those that it had read before.")
    seconds: float
    created: datetime
    finished: datetime | None

    @staticmethod
    def of(row: Run) -> "RunOut":
        found = row.findings.filter(verdict=None).select_related("version__document")
        return RunOut(
            id=row.pk,
            matter_id=row.matter_id,
            kind=Run.Kind(row.kind),
            question=row.question,
            state=Run.State(row.state),
            note=row.note,
            asker=str(row.asker),
            estimate=row.estimate,
            counts=runs.counts(row),
            generated_noes=runs.generated_noes(row),
            steps=[{"number": step.number, "kind": step.kind, **step.data} for step in row.steps.all()],
            report=row.report,
            findings=[FindingOut.of(each) for each in found],
            model=row.model,
            prompt_tokens=row.prompt_tokens,
            cached_tokens=row.cached_tokens,
            seconds=row.seconds,
            created=row.created,
            finished=row.finished,
        )


class SettleIn(Schema):
    verdict: Settled = Field(description="A person's own verdict; empty takes it back.")


@router.post("/matters/{uuid:matter_id}/runs/estimate", response=EstimateOut, summary="What a run would take")
def estimate_run(request: HttpRequest, matter_id: UUID, body: RunIn) -> EstimateOut:
    person = person_of(request)
    matter = access.matter_for(person, matter_id)
    scope = access.scope_for(person, matter, body.document_ids)
    return EstimateOut.model_validate(selection.estimate(scope, matter).told())


@router.post(
    "/matters/{uuid:matter_id}/runs",
    response={202: RunOut, 409: Problem, 422: Problem},
    summary="Ask every document, or begin research",
)
def begin_run(request: HttpRequest, matter_id: UUID, body: RunIn) -> Status[RunOut]:
    person = person_of(request)
    matter = access.matter_for(person, matter_id)
    scope = access.scope_for(person, matter, body.document_ids)
    return Status(202, RunOut.of(runs.begin(scope, matter, person, body.kind, body.question)))


@router.get("/matters/{uuid:matter_id}/runs", response=list[RunOut], summary="The runs, newest first")
def list_runs(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[RunOut]:
    matter = access.matter_for(person_of(request), matter_id)
    rows = matter.runs.select_related("asker")
    return [RunOut.of(row) for row in cursors.piece(request, response, rows, ("-created", "-pk"), at)]


@router.get("/runs/{uuid:run_id}", response=RunOut, summary="How far a run is, and what it found")
def get_run(request: HttpRequest, run_id: UUID) -> RunOut:
    return RunOut.of(access.run_for(person_of(request), run_id))


@router.get("/runs/{uuid:run_id}/verdicts", response=list[VerdictOut], summary="The verdicts of a run")
def list_verdicts(
    request: HttpRequest,
    response: HttpResponse,
    run_id: UUID,
    at: Query[cursors.Place],
    verdict: Shown = "",
) -> list[VerdictOut]:
    """Those that were reached; with `verdict` only such, a person's word before the machine's.

    `no_generator`: only those of the no's that are the generator's word.
    """
    run = access.run_for(person_of(request), run_id)
    rows = runs.verdicts(run, verdict).prefetch_related("findings__version__document")
    return [VerdictOut.of(row) for row in cursors.piece(request, response, rows, ("number", "pk"), at)]


@router.get("/runs/{uuid:run_id}/table", summary="The table of a run, as CSV")
def get_table(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = access.run_for(person_of(request), run_id)
    return HttpResponse(runs.as_csv(run), content_type="text/csv; charset=utf-8")


@router.post("/runs/{uuid:run_id}/pause", response={200: RunOut, 409: Problem}, summary="Let a run wait")
def pause_run(request: HttpRequest, run_id: UUID) -> RunOut:
    run = access.run_for(person_of(request), run_id, Role.MANAGER)
    runs.pause(run)
    return RunOut.of(access.run_for(person_of(request), run_id))


@router.post("/runs/{uuid:run_id}/resume", response={200: RunOut, 409: Problem}, summary="Go on with a run")
def resume_run(request: HttpRequest, run_id: UUID) -> RunOut:
    run = access.run_for(person_of(request), run_id, Role.MANAGER)
    runs.resume(run)
    return RunOut.of(access.run_for(person_of(request), run_id))


@router.post("/runs/{uuid:run_id}/cancel", response={200: RunOut, 409: Problem}, summary="Stop a run")
def cancel_run(request: HttpRequest, run_id: UUID) -> RunOut:
    person = person_of(request)
    run = access.run_for(person, run_id, Role.MANAGER)
    runs.cancel(run, person)
    return RunOut.of(access.run_for(person, run_id))


@router.put(
    "/runs/{uuid:run_id}/verdicts/{uuid:document_id}", response=VerdictOut, summary="Decide about a document"
)
def settle_verdict(request: HttpRequest, run_id: UUID, document_id: UUID, body: SettleIn) -> VerdictOut:
    person = person_of(request)
    verdict = access.verdict_for(person, run_id, document_id, Role.MEMBER)
    runs.settle(verdict, person, body.verdict)
    return VerdictOut.of(verdict)
