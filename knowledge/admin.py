"""Django's admin: people (as Django registers them), matters and who is in them or
walled off. No documents, no answers."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from knowledge import audit
from knowledge.audit import Act
from knowledge.models import GroupMembership, Matter, Membership, Role, Wall

if TYPE_CHECKING:
    MembershipInline = admin.TabularInline[Membership, Matter]
    GroupInline = admin.TabularInline[GroupMembership, Matter]
    WallInline = admin.StackedInline[Wall, Matter]
    MatterAdminBase = admin.ModelAdmin[Matter]
    PersonAdminBase = UserAdmin[User]
    GroupOfPeopleAdminBase = GroupAdmin
else:  # at run time Django's admin classes take no parameters
    MembershipInline = admin.TabularInline
    GroupInline = admin.TabularInline
    WallInline = admin.StackedInline
    MatterAdminBase = admin.ModelAdmin
    PersonAdminBase = UserAdmin
    GroupOfPeopleAdminBase = GroupAdmin


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


class Walls(WallInline):
    model = Wall
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


admin.site.unregister([User, Group])


@admin.register(Group)
class GroupOfPeopleAdmin(Audited, GroupOfPeopleAdminBase):
    pass


@admin.register(User)
class PersonAdmin(Audited, PersonAdminBase):
    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """Accounts are closed, not deleted: what a person asked stays, and the page would list it."""
        return False
