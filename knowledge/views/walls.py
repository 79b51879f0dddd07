"""Who may see a matter: people, groups and walls, and the explanation for one person."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from knowledge import access, holds, matters, walls
from knowledge.api.auth import person_of
from knowledge.forms import GroupForm, WallForm
from knowledge.models import Matter, Role


@require_safe
def page(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """`person` in the address asks why that person can or cannot see the matter."""
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    return render(
        request, "matters/access.html", {**_shown(person_of(request), matter), **_asked(request, matter)}
    )


@require_POST
def groups(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    form = GroupForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give a group and one of the roles.")
    elif (group := Group.objects.filter(name=form.cleaned_data["group"]).first()) is None:
        messages.error(request, f"There is no group “{form.cleaned_data['group']}”.")
    elif form.cleaned_data["remove"]:
        _try(request, f"{group} is no longer in this matter.", lambda: matters.remove_group(matter, group))
    else:
        role: Role = form.cleaned_data["role"] or Role.READER
        told = f"{group} is now in this matter as {role.label.lower()}."
        _try(request, told, lambda: matters.set_group(matter, group, role))
    return _back(request, matter)


@require_POST
def raise_wall(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    form = WallForm(request.POST)
    if not form.is_valid() or not _raised(request, matter, form):
        context = {**_shown(person_of(request), matter), "wall_form": form}
        return render(request, "matters/access.html", context, status=422)
    return _back(request, matter)


def _raised(request: HttpRequest, matter: Matter, form: WallForm) -> bool:
    """Whether its dates make a wall; the form says it where they do not."""
    against: User | Group = form.cleaned_data["against"]
    told = f"A wall stands against {against}."
    try:
        _try(request, told, lambda: walls.raise_wall(matter, against, form.terms(), person_of(request)))
    except walls.NeverStands as error:
        form.add_error(None, str(error))
        return False
    return True


@require_POST
def lift(request: HttpRequest, wall_id: UUID) -> HttpResponse:
    wall = access.wall_for(request.user, wall_id)
    told = "is lifted" if walls.lift(wall) else "was over already"
    messages.success(request, f"The wall against {wall.whom} {told}.")
    return redirect("matter_access", wall.matter_id)


@require_POST
def hold(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Put the matter under a legal hold; with `lift` end every hold of it."""
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    reason = request.POST.get("reason", "").strip()
    if "lift" in request.POST:
        holds.lift(matter)
        messages.success(request, "The legal hold is lifted.")
    elif reason:
        holds.place(matter, reason, person_of(request))
        messages.success(request, "The matter is under a legal hold.")
    else:
        messages.error(request, "Give the reason of the hold.")
    return redirect("matter_access", matter.pk)


def _shown(person: User, matter: Matter) -> dict[str, Any]:
    return {
        "matter": matter,
        "members": matter.memberships.select_related("user__service_account").order_by(
            "-role", "user__username"
        ),
        "groups": matter.group_memberships.select_related("group").order_by("-role", "group__name"),
        "walls": matter.walls.select_related("user", "group", "created_by"),
        "roles": Role.choices,
        "known_groups": access.groups_for(person).order_by("name"),
        "wall_form": WallForm(),
        "may_manage": True,
        "holds": holds.standing(matter).select_related("by"),
    }


def _asked(request: HttpRequest, matter: Matter) -> dict[str, Any]:
    name = request.GET.get("person", "").strip()
    if not name:
        return {}
    person = User.objects.filter(username=name).first()
    if person is None:
        return {"asked": name, "problem": f"There is no user “{name}”."}
    return {"asked": name, "explanation": walls.explain(person, matter)}


def _try(request: HttpRequest, told: str, change: Callable[[], object]) -> None:
    try:
        change()
    except matters.LastManager as error:
        messages.error(request, str(error))
    else:
        messages.success(request, told)


def _back(request: HttpRequest, matter: Matter) -> HttpResponse:
    """Who has shut themselves out lands on the list of their matters."""
    role = access.role_in(request.user, matter)
    if role is None:
        return redirect("matters")
    return redirect("matter_access" if role >= Role.MANAGER else "matter", matter.pk)
