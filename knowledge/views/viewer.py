"""The document viewer: the text of one page, with a span of it highlighted."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from knowledge import access, boxes, highlight, pictures, retry, threads
from knowledge.forms import PlaceForm
from knowledge.models import Document, Page, Version
from knowledge.views.matters import rights


@dataclass(frozen=True)
class PageLine:
    """A page as the list of pages shows it."""

    number: int
    label: str
    kind: str
    percent: int | None  # confidence of OCR
    start: int

    @property
    def told(self) -> str:
        """How its text came about; nothing where it simply is text."""
        if self.kind == Page.Kind.OCR:
            return "OCR" if self.percent is None else f"OCR {self.percent} %"
        return "unreadable" if self.kind == Page.Kind.UNREADABLE else ""


@require_safe
def document(request: HttpRequest, document_id: UUID) -> HttpResponse:
    document = access.document_for(request.user, document_id)
    version = version_of(request, document)
    pages = _lines(version)
    context = {
        "document": document,
        "matter": document.matter,
        "version": version,
        "versions": document.versions.all(),
        "pages": pages,
        "description": _description(version),
        "details": _details(version),
        "children": document.children.all(),
        "conversation": threads.messages(version),
        **rights(request, document.matter),
    }
    if pages:
        wanted = place(request)
        context |= _place(version, pages, wanted)
        if pictures.has_pictures(version):
            context |= _printed(context, _view(request, wanted.get("view", "")))
    return render(request, "documents/document.html", context)


@require_safe
def picture(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """The page that the address names as it is printed."""
    document = access.document_for(request.user, document_id)
    version = version_of(request, document)
    number: int = place(request).get("page") or 1
    if not pictures.has_pictures(version) or not version.pages.filter(number=number).exists():
        raise Http404("No such page.")
    try:
        return HttpResponse(pictures.draw(version, number), content_type="image/png")
    except pictures.NoPicture as error:
        return HttpResponse(str(error), content_type="text/plain", status=HTTPStatus.CONFLICT)
    except pictures.Busy as error:
        busy = HttpResponse(str(error), content_type="text/plain", status=HTTPStatus.SERVICE_UNAVAILABLE)
        return retry.after(busy, retry.seconds(error))


def _view(request: HttpRequest, wanted: str) -> str:
    """Text, or as printed: what was chosen last in this session."""
    if wanted and wanted != request.session.get("view"):
        request.session["view"] = wanted
    return str(request.session.get("view", "text"))


def _printed(context: dict[str, Any], view: str) -> dict[str, Any]:
    """For the choice of views, and the page as printed with what the span covers."""
    row = context["version"].pages.get(number=context["page"].number)
    span = context["span"]
    marks = boxes.rectangles(row, span[0] - row.start, span[1] - row.start) if span else []
    return {
        "view": view,
        "sheet": row,
        "marks": [
            {"x": box[0], "y": box[1], "width": box[2] - box[0], "height": box[3] - box[1]} for box in marks
        ],
    }


def place(request: HttpRequest) -> dict[str, Any]:
    """The place the address names; what is not valid counts as not given."""
    form = PlaceForm(request.GET)
    form.is_valid()
    return form.cleaned_data


def version_of(request: HttpRequest, document: Document) -> Version:
    """The version the address names, or the one that search and answers read."""
    if "version" not in request.GET:
        return document.current or document.latest
    wanted = place(request).get("version")
    if wanted is None:
        raise Http404("No such document.")
    version = access.version_for(request.user, wanted)
    if version.document_id != document.pk:
        raise Http404("No such document.")
    return version


def _lines(version: Version) -> list[PageLine]:
    fields = version.pages.order_by("number").values_list("number", "label", "kind", "confidence", "start")
    return [
        PageLine(number, label, kind, None if sure is None else round(100 * sure), start)
        for number, label, kind, sure, start in fields
    ]


def _place(version: Version, pages: list[PageLine], place: dict[str, Any]) -> dict[str, Any]:
    """The page to show, its neighbours, and its text with the part of the span that stands on it marked."""
    at = _index(pages, place)
    text = version.pages.values_list("text", flat=True).get(number=pages[at].number)
    start, end = place.get("start"), place.get("end")
    span = (start, end) if start is not None and end is not None and start < end else None
    begin = pages[at].start
    ranges = [(span[0] - begin, span[1] - begin)] if span else []
    return {
        "page": pages[at],
        "previous": pages[at - 1] if at else None,
        "next": pages[at + 1] if at + 1 < len(pages) else None,
        "pieces": highlight.spans(text, ranges),
        "span": span,
        "starts_before": span is not None and span[0] < begin < span[1],
        "goes_on": span is not None and span[0] < begin + len(text) < span[1],
    }


def _index(pages: list[PageLine], place: dict[str, Any]) -> int:
    """Where in the list the wanted page is: by number, else where the span starts; past the end: the last."""
    number, start = place.get("page"), place.get("start")
    if number is not None:
        before = [index for index, line in enumerate(pages) if line.number <= number]
    else:
        before = [index for index, line in enumerate(pages) if line.start <= (start or 0)]
    return before[-1] if before and (number or start) else 0


def _description(version: Version) -> list[tuple[str, str]]:
    """What is known of it, as lines of a table."""
    people: dict[str, list[str]] = {}
    for row in version.correspondents.all():
        people.setdefault(row.get_role_display(), []).append(str(row))
    stamped = " to ".join(dict.fromkeys([version.bates_first, version.bates_last]))
    moments = {"Sent": version.sent, "Written": version.written, "Last changed": version.changed}
    lines = {
        "Kind": version.get_kind_display(),
        "Author": version.author,
        "Custodian": version.custodian,
        **{role: ", ".join(names) for role, names in people.items()},
        **{label: date_format(localtime(at), "j F Y, H:i") if at else "" for label, at in moments.items()},
        "Bates numbers": stamped,
        "Language": version.language,
    }
    return [(label, value) for label, value in lines.items() if value]


def _details(version: Version) -> list[tuple[str, str]]:
    """What the file itself says about where it comes from, as lines of a table."""
    return [
        (str(key).replace("_", " ").capitalize(), str(value))
        for key, value in version.metadata.items()
        if value not in (None, "", [], {})
    ]
