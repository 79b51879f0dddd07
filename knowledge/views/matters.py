"""The matters of a person, and the page of one matter."""

from uuid import UUID

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from knowledge import access, matters, walls, warming
from knowledge.api.auth import person_of
from knowledge.forms import MatterForm
from knowledge.models import Answer, Document, Matter, Role
from knowledge.views import listing

RECENT_ANSWERS = 12
RECENT_UPLOADS = 5


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    form = MatterForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        return redirect("matter", matters.create(form.cleaned_data["name"], person).pk)
    rows = access.matters_of(person).annotate(document_count=_count(Document), answer_count=_count(Answer))
    context = {"matters": rows, "form": form, "notices": walls.notices(person)}
    return render(request, "matters/list.html", context, status=422 if form.errors else 200)


def _count(rows: type[Document] | type[Answer]) -> Coalesce:
    """How many of a matter's. Each by itself: joined, each of one would meet each of the other."""
    mine = rows._default_manager.filter(matter=OuterRef("pk")).order_by().values("matter")
    return Coalesce(Subquery(mine.annotate(count=Count("pk")).values("count")), 0)


@require_safe
def matter(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    return page(request, access.matter_for(request.user, matter_id))


@require_POST
def pause(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Let the documents of the matter wait; with `resume` go on with them."""
    found = access.matter_for(request.user, matter_id, Role.MANAGER)
    (matters.resume if "resume" in request.POST else matters.pause)(found)
    return redirect("matter", matter_id)


@require_POST
def warm(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Read the main documents ahead."""
    found = access.matter_for(request.user, matter_id, Role.MEMBER)
    count = len(warming.queue_matter(found, person_of(request)))
    messages.success(request, f"{count} document{'s' * (count != 1)} will be read ahead.")
    return redirect("matter", matter_id)


def page(
    request: HttpRequest, matter: Matter, *, question: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    """The matter page; `problem` says why the question that was asked could not be taken."""
    context = {
        "matter": matter,
        "question": question,
        "problem": problem,
        "listing": listing.of(matter, request.GET),
        "answers": matter.answers.select_related("asker")[:RECENT_ANSWERS],
        "uploads": matter.uploads.filter(versions__isnull=False).distinct()[:RECENT_UPLOADS],
        "members": matter.memberships.select_related("user__service_account").order_by(
            "-role", "user__username"
        ),
        "roles": Role.choices,
        **rights(request, matter),
    }
    return render(request, "matters/matter.html", context, status=status)


def rights(request: HttpRequest, matter: Matter) -> dict[str, bool]:
    """What the templates may offer; the views behind the buttons check again."""
    role = access.role_in(request.user, matter) or 0
    return {"may_upload": role >= Role.MEMBER, "may_manage": role >= Role.MANAGER}
