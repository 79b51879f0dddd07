"""Questions that are worked on in the background: to every document, and research."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST, require_safe

from knowledge import access, comparison, quoted, report, runs, selection, streams
from knowledge.api.auth import person_of
from knowledge.forms import RunForm, VerdictForm, VerdictsForm
from knowledge.models import Finding, Matter, Role, Run, Step, Verdict
from knowledge.search import BadQuery
from knowledge.views.matters import rights

PER_PAGE = 50
RECENT = 20
MOST_CHOICES = 500  # documents offered for a choice
LOOK_SECONDS = 0.5  # between looks at the steps of a run
KEEP_ALIVE = 20  # looks


@require_safe
def index(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Both forms, and the runs of the matter."""
    return _index(request, access.matter_for(request.user, matter_id), RunForm())


@require_POST
def estimate(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """What a run over every document would take; a second press begins it."""
    matter = access.matter_for(request.user, matter_id)
    form = RunForm(request.POST)
    if not form.is_valid():
        return _index(request, matter, form, problem="Type what to ask.", status=422)
    return _index(request, matter, form, expected=selection.estimate(_scope(request, matter, form), matter))


@require_POST
def begin(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id)
    form = RunForm(request.POST)
    if not form.is_valid():
        return _index(request, matter, form, problem="Type what to ask.", status=422)
    try:
        scope = _scope(request, matter, form)
        kind, question = form.cleaned_data["kind"], form.cleaned_data["question"]
        run = runs.begin(scope, matter, person_of(request), kind, question)
    except (BadQuery, runs.Refused) as error:
        return _index(request, matter, form, problem=str(error), status=422)
    return redirect("run", run.pk)


@require_safe
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = access.run_for(request.user, run_id)
    return render(request, "runs/run.html", _shown(request, found))


@require_safe
def body(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """What changes while the run is worked on."""
    found = access.run_for(request.user, run_id)
    return render(request, "runs/_body.html", _shown(request, found))


@require_safe
def table(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = access.run_for(request.user, run_id)
    response = HttpResponse(runs.as_csv(found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="run-{found.created:%Y-%m-%d-%H%M}.csv"'
    return response


@require_POST
def control(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Pause, resume or stop, whichever button was pressed."""
    found = access.run_for(request.user, run_id, Role.MANAGER)
    try:
        if "resume" in request.POST:
            runs.resume(found)
        elif "pause" in request.POST:
            runs.pause(found)
        else:
            runs.cancel(found, person_of(request))
    except runs.Refused as error:
        messages.error(request, str(error))
    return redirect("run", run_id)


@require_POST
def settle(request: HttpRequest, run_id: UUID, document_id: UUID) -> HttpResponse:
    """A person's own verdict on a document; an empty one takes it back."""
    verdict = access.verdict_for(request.user, run_id, document_id, Role.MEMBER)
    form = VerdictForm(request.POST)
    shown = "?"
    if form.is_valid():
        runs.settle(verdict, person_of(request), form.cleaned_data["value"])
        shown += urlencode({"verdict": form.cleaned_data["show"]})
    return redirect(f"{reverse('run', args=[run_id])}{shown}#verdicts")


@require_GET
async def stream(request: HttpRequest, run_id: UUID) -> StreamingHttpResponse:
    """The steps of research as server-sent events; a reader who comes back goes on behind the last one."""
    await streams.in_thread(access.run_for, request.user, run_id)
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isdecimal() and len(last) < 10 else 0
    response = StreamingHttpResponse(_frames(request.user, run_id, after), content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


async def _frames(person: access.Person, run_id: UUID, after: int) -> AsyncIterator[bytes]:
    """Who loses access to the matter meanwhile gets no further step."""
    for look in count(1):
        try:
            steps, is_open = await streams.in_thread(_news, person, run_id, after)
        except Http404:
            return
        for step in steps:
            after = step.number
            yield f"id: {step.number}\nevent: {step.kind}\ndata: {json.dumps(step.data)}\n\n".encode()
        if not steps and not is_open:
            yield b"event: end\ndata: {}\n\n"
            return
        if look % KEEP_ALIVE == 0:
            yield b": waiting\n\n"
        await asyncio.sleep(0 if steps else LOOK_SECONDS)


def _news(person: access.Person, run_id: UUID, after: int) -> tuple[list[Step], bool]:
    """Steps behind this one, and whether more may come."""
    run = access.run_for(person, run_id)
    return list(run.steps.filter(number__gt=after)), run.is_open


def _index(
    request: HttpRequest,
    matter: Matter,
    form: RunForm,
    *,
    problem: str = "",
    expected: selection.Estimate | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "matter": matter,
        "form": form,
        "chosen": _chosen(form),
        "documents": matter.documents.filter(current__isnull=False).order_by("path")[:MOST_CHOICES],
        "problem": problem,
        "expected": expected,
        "runs": matter.runs.select_related("asker")[:RECENT],
        **rights(request, matter),
    }
    return render(request, "runs/index.html", context, status=status)


def _chosen(form: RunForm) -> set[UUID]:
    return set(form.cleaned_data.get("documents", [])) if form.is_bound else set()


def _scope(request: HttpRequest, matter: Matter, form: RunForm) -> access.Scope:
    """The documents that were ticked; all of the matter when none was."""
    return access.scope_for(request.user, matter, form.cleaned_data["documents"] or None)


def _shown(request: HttpRequest, run: Run) -> dict[str, Any]:
    form = VerdictsForm(request.GET)
    form.is_valid()  # what is not valid counts as not given
    wanted = form.cleaned_data.get("verdict") or ""
    rows = runs.verdicts(run, wanted).prefetch_related("findings__version__document")
    tally = runs.counts(run)
    total = sum(tally.values())
    role = access.role_in(request.user, run.matter) or 0
    page = Paginator(rows, PER_PAGE).get_page(form.cleaned_data.get("page") or 1)
    told = report.shown(run)
    is_asker = run.asker_id == request.user.pk
    return {
        "run": run,
        "matter": run.matter,
        "verdict": wanted,
        "choices": Verdict.Value.choices,
        "counts": tally,
        "generated_noes": runs.generated_noes(run),
        "total": total,
        "looked": total - tally["waiting"],
        "page": page,
        "steps": list(run.steps.all()),
        "report": told,
        "quoted": quoted.pieces([*_findings(page), *report.findings(told)]),
        "table": None if run.is_over_every_document else comparison.table(run),
        "may_control": is_asker or role >= Role.MANAGER,
        "may_settle": is_asker or role >= Role.MEMBER,
    }


def _findings(page: "Page[Verdict]") -> list[Finding]:
    return [finding for verdict in page for finding in verdict.findings.all()]
