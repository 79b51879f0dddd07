"""Who is in a matter: letting people in, changing roles, taking people out."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from knowledge import access, matters
from knowledge.forms import MemberForm
from knowledge.models import Matter, Role


@require_POST
def members(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    form = MemberForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give a user name and one of the roles.")
    elif (user := User.objects.filter(username=form.cleaned_data["username"]).first()) is None:
        messages.error(request, f"There is no user “{form.cleaned_data['username']}”.")
    else:
        _change(request, matter, user, form)
    if access.role_in(request.user, matter) is None:  # managers may take themselves out
        return redirect("matters")
    return redirect("matter", matter.pk)


def _change(request: HttpRequest, matter: Matter, user: User, form: MemberForm) -> None:
    role: Role = form.cleaned_data["role"] or Role.READER
    try:
        if form.cleaned_data["remove"]:
            matters.remove_member(matter, user)
            messages.success(request, f"{user} is no longer in this matter.")
        else:
            matters.set_member(matter, user, role)
            messages.success(request, f"{user} is now in this matter as {role.label.lower()}.")
    except matters.LastManager as error:
        messages.error(request, str(error))
