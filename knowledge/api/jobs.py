"""Background work over REST."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, documents
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.api.problems import problem
from knowledge.api.schemas import Problem
from knowledge.models import Job, Role

router = Router(tags=["jobs"])


class JobOut(Schema):
    id: UUID
    matter_id: UUID
    version_id: UUID | None
    kind: str = Field(examples=["ingest"])
    state: Job.State
    stage: str
    progress: int
    total: int
    attempts: int
    reason: str
    created: datetime
    due_at: datetime
    finished: datetime | None

    @staticmethod
    def of(row: Job) -> "JobOut":
        plain = ("stage", "progress", "total", "attempts", "reason", "created", "due_at", "finished")
        return JobOut(
            id=row.pk,
            matter_id=row.matter_id,
            version_id=row.version_id,
            kind=Job.Kind(row.kind).name.lower(),
            state=Job.State(row.state),
            **{name: getattr(row, name) for name in plain},
        )


@router.get("/matters/{uuid:matter_id}/jobs", response=list[JobOut], summary="Jobs, newest first")
def list_jobs(
    request: HttpRequest,
    response: HttpResponse,
    matter_id: UUID,
    at: Query[cursors.Place],
    state: Job.State | None = None,
) -> list[JobOut]:
    rows = access.matter_for(person_of(request), matter_id).jobs.all()
    if state is not None:
        rows = rows.filter(state=state)
    return [JobOut.of(row) for row in cursors.piece(request, response, rows, ("-created", "-pk"), at)]


@router.get("/jobs/{uuid:job_id}", response=JobOut, summary="One job")
def get_job(request: HttpRequest, job_id: UUID) -> JobOut:
    return JobOut.of(access.job_for(person_of(request), job_id))


@router.post(
    "/jobs/{uuid:job_id}/retry",
    response={202: JobOut, 409: Problem},
    summary="Do the work of a failed job again; the answer is the new job",
)
def retry_job(request: HttpRequest, job_id: UUID) -> HttpResponse | Status[JobOut]:
    job = access.job_for(person_of(request), job_id, Role.MANAGER)
    if job.version is None or job.kind != Job.Kind.INGEST:
        return problem(HTTPStatus.CONFLICT, "This job is not the reading of a document.")
    try:
        return Status(HTTPStatus.ACCEPTED, JobOut.of(documents.retry(job.version.document)))
    except documents.NotFailed as error:
        return problem(HTTPStatus.CONFLICT, str(error))


@router.post(
    "/jobs/{uuid:job_id}/cancel", response={200: JobOut, 409: Problem}, summary="Stop the work of a job"
)
def cancel_job(request: HttpRequest, job_id: UUID) -> HttpResponse | JobOut:
    person = person_of(request)
    job = access.job_for(person, job_id, Role.MANAGER)
    if (
        job.version is None
        or job.kind != Job.Kind.INGEST
        or not documents.cancel(job.version.document, person)
    ):
        return problem(HTTPStatus.CONFLICT, "Nothing is being done for this job.")
    job.refresh_from_db()
    return JobOut.of(job)
