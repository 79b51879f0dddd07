"""Asking, and the page of an answer: its quotes at once, its text as it is written."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from inference.errors import InferenceError
from knowledge import access, answers, callers, differences, preferences, quoted, retry, streams, writing
from knowledge.api.auth import person_of, watch
from knowledge.forms import QuestionForm, ReadingForm
from knowledge.index import IndexUnavailable
from knowledge.models import Answer, Citation, Page
from knowledge.search import BadQuery
from knowledge.views import matters


@dataclass(frozen=True)
class Sentence:
    """A sentence as it is shown. `flag` says what is to be known about it: nothing where it is verbatim."""

    text: str
    citations: list[Citation]
    flag: str


@require_POST
def ask(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id)
    question = request.POST.get("question", "")
    form = QuestionForm(request.POST)
    if not form.is_valid():
        raise Http404("No such answer.")
    followed = form.cleaned_data["follows"]
    follows = access.followed_for(request.user, matter, followed) if followed else None
    only = form.cleaned_data["document"]
    documents = [access.document_for(request.user, only).pk] if only else None
    try:
        scope = access.scope_for(request.user, matter, documents)
        found = answers.ask(scope, matter, person_of(request), question, follows)
    except BadQuery as error:
        return matters.page(request, matter, question=question, problem=str(error), status=422)
    except (InferenceError, IndexUnavailable) as error:
        problem = f"The question could not be answered just now. {error}"
        page = matters.page(request, matter, question=question, problem=problem, status=503)
        return retry.after(page, retry.seconds(error))
    return redirect("answer", found.pk)


@require_POST
def reading(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Keep what the person wants read of a document."""
    document = access.document_for(request.user, document_id)
    form = ReadingForm(request.POST)
    if not form.is_valid():
        raise Http404("No such choice.")
    preferences.choose(person_of(request), document, form.cleaned_data["kind"])
    back = form.cleaned_data["answer"]
    if back is None:
        return redirect("document", document.pk)
    return redirect("answer", access.answer_for(request.user, back).pk)


@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """The page; POST writes the text to its end first, for browsers that cannot follow the stream."""
    found = access.answer_for(request.user, answer_id)
    if request.method == "POST":
        writing.complete(found.pk, callers.gone(request))
        return redirect("answer", found.pk)
    return render(request, "answers/answer.html", _shown(request, found))


@require_safe
def body(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    found = access.answer_for(request.user, answer_id)
    return render(request, "answers/_body.html", _shown(request, found))


@require_GET
async def stream(request: HttpRequest, answer_id: UUID) -> StreamingHttpResponse:
    """The text as it is written, as server-sent events."""
    allowed = await streams.in_thread(_watch, request, answer_id)
    frames = streams.server_sent(lambda cancelled: writing.write(answer_id, cancelled), allowed)
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


def _watch(request: HttpRequest, answer_id: UUID) -> streams.Allowed:
    return watch(request, access.answer_for(request.user, answer_id).matter_id)


def _shown(request: HttpRequest, answer: Answer) -> dict[str, Any]:
    wishes = preferences.of_matter(person_of(request), answer.matter)
    cited = list(answer.citations.select_related("version__document"))
    written = _sentences(answer, {row.number: row for row in cited})
    return {
        "answer": answer,
        "matter": answer.matter,
        "key_quotes": [row for row in cited if row.origin == Citation.Origin.KEY],
        "text_quotes": [row for row in cited if row.origin == Citation.Origin.TEXT],
        "sentences": written,
        "holds": answer.state != Answer.State.DONE or _holds(answer),
        "quoted": quoted.pieces(cited),
        "by_ocr": _by_ocr(cited),
        "differences": differences.of(cited),
        "readings": _readings(answer),
        "notes": _notes(answer),
        "wishes": dict(wishes.values_list("document", "kind")),
        "earlier": _earlier(answer),
        "later": list(answer.followed_by.order_by("created")),
        "choices": answer.matter.documents.filter(path__in=answer.plan.get("choices", [])),
        "is_open": answer.state in {Answer.State.READY, Answer.State.GENERATING},
    }


def _holds(answer: Answer) -> bool:
    """Whether anything that the machine wrote is carried by a source, or says that they are silent."""
    return any(row["citations"] or row.get("silent") for row in answer.sentences)


def _sentences(answer: Answer, cited: dict[int, Citation]) -> list[Sentence]:
    shown = []
    for row in answer.sentences:
        found = [cited[number] for number in row["citations"] if number in cited]
        if row["text"]:
            shown.append(Sentence(row["text"], found, _flag(row, found)))
    return shown


def _flag(row: dict[str, Any], found: list[Citation]) -> str:
    if row["citations"] and not found:
        return "its source has been deleted"
    if row.get("silent"):
        return "the machine found no answer: see the quotes yourself"
    if row.get("cut"):
        return "not checked: the summary stopped here"
    if not found:
        problem = row.get("problem")
        return f"not in the sources: {problem}" if problem else "not found word for word in the sources"
    return "" if row.get("verbatim", True) else "in other words than the source: compare"


def _earlier(answer: Answer) -> list[Answer]:
    """The conversation before this answer, oldest first."""
    found: list[Answer] = []
    while answer.follows is not None:
        answer = answer.follows
        found.append(answer)
    return found[::-1]


def _notes(answer: Answer) -> list[str]:
    """What the plan could not do, or did otherwise than before."""
    plan = answer.plan
    notes = [plan.get("anew", "")]
    if plan.get("too_long"):
        notes.append(
            f"Longer than what can be read at once, so read by passage: {', '.join(plan['too_long'])}."
        )
    if plan.get("not_read"):
        notes.append("There was no room for every document in which something was found.")
    if plan.get("in_part"):
        notes.append(f"More was found than there was room for in {', '.join(plan['in_part'])}.")
    if plan.get("is_short") and not plan.get("is_cut"):
        notes.append("One of the best passages found was not read, or not to its end.")
    if plan.get("is_cut"):
        notes.append("Not even the best passage fitted; only its beginning was read.")
    return [note for note in notes if note]


def _by_ocr(cited: list[Citation]) -> set[int]:
    """The citations whose page is a scan: they agree with what was read from it, which may be misread."""
    scanned: dict[UUID, set[int]] = {}
    for row in cited:
        pages = row.version.pages.filter(kind=Page.Kind.OCR)
        if row.version_id not in scanned:
            scanned[row.version_id] = set(pages.values_list("number", flat=True))
    return {row.pk for row in cited if row.page in scanned[row.version_id]}


def _readings(answer: Answer) -> list[dict[str, Any]]:
    """The reading plan in lines; each document with its id if it is still in the matter."""
    named = {key: answer.plan.get(key, []) for key in ("full", "by_passage", "not_read", "excluded")}
    counts = {key: len(group) for key, group in named.items()}
    counts["not_read"] = answer.plan.get("not_read_count", counts["not_read"])
    listed = {*named["not_read"], *named["excluded"]}
    paths = [path for group in named.values() for path in group]
    ids = dict(answer.matter.documents.filter(path__in=paths).values_list("path", "pk"))
    words = {
        "full": "read in full",
        "by_passage": "by passage",
        "not_read": "not read",
        "excluded": "left out as you wish",
    }
    return [
        {
            "words": words[key],
            "count": counts[key],
            "documents": [{"path": path, "pk": ids.get(path)} for path in group],
            "others": counts[key] - len(listed) if key == "not_read" else 0,
        }
        for key, group in named.items()
        if counts[key]
    ]
