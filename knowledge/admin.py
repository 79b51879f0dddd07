"""Django's admin: people (as Django registers them), matters and who is in them or
walled off. No documents, no answers."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from knowledge import audit, factors, service_accounts, tokens
from knowledge.api.auth import person_of
from knowledge.audit import Act
from knowledge.models import GroupMembership, Matter, Membership, Right, Role, ServiceAccount, Wall

if TYPE_CHECKING:
    MembershipInline = admin.TabularInline[Membership, Matter]
    GroupInline = admin.TabularInline[GroupMembership, Matter]
    WallInline = admin.StackedInline[Wall, Matter]
    MatterAdminBase = admin.ModelAdmin[Matter]
    PersonAdminBase = UserAdmin[User]
    GroupOfPeopleAdminBase = GroupAdmin
    ServiceAccountAdminBase = admin.ModelAdmin[ServiceAccount]
    ServiceAccountFormBase = forms.ModelForm[ServiceAccount]
    WallFormBase = forms.ModelForm[Wall]
    SingleSignOnAdminBase = admin.ModelAdmin[SocialAccount]
else:  # at run time Django's admin classes take no parameters
    MembershipInline = admin.TabularInline
    GroupInline = admin.TabularInline
    WallInline = admin.StackedInline
    MatterAdminBase = admin.ModelAdmin
    PersonAdminBase = UserAdmin
    GroupOfPeopleAdminBase = GroupAdmin
    ServiceAccountAdminBase = SingleSignOnAdminBase = admin.ModelAdmin
    ServiceAccountFormBase = WallFormBase = forms.ModelForm


class Audited:
    """Each change made here is an event of the audit, in the transaction of the change."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return _recorded(super().log_addition(request, obj, message), obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return _recorded(super().log_change(request, obj, message), obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            audit.record(Act.ADMIN, _subject(row), details={"deleted": True})
        return super().log_deletions(request, queryset)  # type: ignore[misc]


def _recorded(entry: Any, row: Any, message: Any) -> Any:
    """Which fields changed; their values may be a matter's own words."""
    fields = [field for part in message if isinstance(part, dict) for field in _fields(part)]
    matter_id = row.pk if isinstance(row, Matter) else None
    audit.record(Act.ADMIN, _subject(row), matter_id=matter_id, details={"fields": fields})
    return entry


def _fields(part: dict[str, Any]) -> list[str]:
    change = part.get("changed") or {}
    return [str(field) for field in change.get("fields", [])]


def _subject(row: Any) -> str:
    return f"{row._meta.model_name}:{row.pk}"


class Members(MembershipInline):
    model = Membership
    extra = 1
    autocomplete_fields = ["user"]


class Groups(GroupInline):
    model = GroupMembership
    extra = 0


class WallForm(WallFormBase):
    def clean(self) -> dict[str, Any]:
        """As on the page of the matter: what never stands is no wall, and what stood stays as it was."""
        chosen: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = chosen.get("since"), chosen.get("until")
        if until and "until" in self.changed_data and until <= timezone.now():
            self.add_error("until", "This is over already: choose an end that is to come.")
        elif since and until and until <= since:
            self.add_error("until", "It cannot end before it begins.")
        return chosen


class Walls(WallInline):
    model = Wall
    form = WallForm
    fk_name = "matter"
    extra = 0
    autocomplete_fields = ["user"]
    readonly_fields = ["created_by"]

    def has_delete_permission(self, request: HttpRequest, obj: Matter | None = None) -> bool:  # noqa: ARG002
        """A wall ends by its date; its row stays as what held until then."""
        return False


@admin.register(Matter)
class MatterAdmin(Audited, MatterAdminBase):
    fields = ["name"]
    list_display = ["name", "created"]
    search_fields = ["name"]
    inlines = [Members, Groups, Walls]

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001
        """Who was let in, taken out or walled off."""
        super().save_formset(request, form, formset, change)
        changed = [*formset.new_objects, *(row for row, _ in formset.changed_objects)]
        for row in [*changed, *formset.deleted_objects]:
            whom = f"user:{row.user_id}" if getattr(row, "user_id", None) else f"group:{row.group_id}"
            role = Role(row.role).label.lower() if hasattr(row, "role") else "behind a wall"
            details = {"role": role if row in changed else "none"}
            audit.record(Act.PERMISSION, whom, matter_id=row.matter_id, details=details)

    def has_delete_permission(self, request: HttpRequest, obj: Matter | None = None) -> bool:  # noqa: ARG002
        """Deleting is more than rows, and its page would list documents: see `manage.py delete_matter`."""
        return False


admin.site.unregister([User, Group, Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken])
# One way in for all: it asks for the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(Group)
class GroupOfPeopleAdmin(Audited, GroupOfPeopleAdminBase):
    pass


@admin.register(User)
class PersonAdmin(Audited, PersonAdminBase):
    actions = ["remove_factors"]

    @admin.action(description="Remove their second factors (they lost them)", permissions=["change"])
    def remove_factors(self, request: HttpRequest, queryset: Any) -> None:
        removed = sum(factors.remove_all(person) for person in queryset)
        told = f"Removed {removed}. They are signed out everywhere. Their tokens stay: revoke those in doubt."
        messages.success(request, told)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """Accounts are closed, not deleted: what a person asked stays, and the page would list it."""
        return False


class ServiceAccountForm(ServiceAccountFormBase):
    """The name is asked for once; what stays open to change is what the account is for."""

    name = forms.CharField(max_length=150, validators=[User.username_validator])

    class Meta:
        model = ServiceAccount
        fields = ["name", "purpose"]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        if self.instance.pk:
            del self.fields["name"]

    def clean_name(self) -> str:
        name: str = User.normalize_username(self.cleaned_data["name"])
        if User.objects.filter(username=name).exists():
            raise forms.ValidationError("This name is taken.")
        return name


@admin.register(ServiceAccount)
class ServiceAccountAdmin(Audited, ServiceAccountAdminBase):
    """Programs with an account. They are closed as people are: in the list of users."""

    list_display = ["user", "purpose", "by", "created"]
    search_fields = ["user__username", "purpose"]
    actions = ["make_token"]
    form = ServiceAccountForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        return ["purpose"] if obj else ["name", "purpose"]

    def save_model(self, request: HttpRequest, obj: ServiceAccount, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            return super().save_model(request, obj, form, change)
        made = service_accounts.create(form.cleaned_data["name"], obj.purpose, person_of(request))
        obj.user, obj.by, obj.created = made.user, made.by, made.created
        return None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Without its mark the account would count as a person's."""
        return False

    @admin.action(description="Make a token (read and ask, for a year)", permissions=["change"])
    def make_token(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        if queryset.count() != 1:
            messages.error(request, "Choose one account.")
            return None
        person, account = person_of(request), queryset[0]
        if not person.is_superuser and account.by_id != person.pk:
            audit.record(Act.DENIED, f"user:{account.pk}", details={"needs": "superuser, or who made it"})
            messages.error(request, "Only superusers and who made the account make tokens of it.")
            return None
        expires = timezone.now() + timedelta(days=365)
        wish = tokens.Wish([Right.READ, Right.ASK], None, expires)
        made = tokens.issue(account.user, "made in the administration", wish)
        return render(request, "made_token.html", {"account": account, "made": made})


@admin.register(SocialAccount)
class SingleSignOnAdmin(Audited, SingleSignOnAdminBase):
    """Who is bound to which id of the provider. Removed, the person is found by their address once more."""

    list_display = ["user", "provider", "uid", "date_joined"]
    search_fields = ["user__username", "uid"]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: SocialAccount | None = None) -> bool:  # noqa: ARG002
        return False
