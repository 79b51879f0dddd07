"""Django's admin: people (as Django registers them), matters and who is in them or
walled off. No documents, no answers."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest

from knowledge.models import GroupMembership, Matter, Membership, Wall

if TYPE_CHECKING:
    MembershipInline = admin.TabularInline[Membership, Matter]
    GroupInline = admin.TabularInline[GroupMembership, Matter]
    WallInline = admin.StackedInline[Wall, Matter]
    MatterAdminBase = admin.ModelAdmin[Matter]
    PersonAdminBase = UserAdmin[User]
else:  # at run time Django's admin classes take no parameters
    MembershipInline = admin.TabularInline
    GroupInline = admin.TabularInline
    WallInline = admin.StackedInline
    MatterAdminBase = admin.ModelAdmin
    PersonAdminBase = UserAdmin


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
class MatterAdmin(MatterAdminBase):
    list_display = ["name", "created"]
    search_fields = ["name"]
    inlines = [Members, Groups, Walls]

    def has_delete_permission(self, request: HttpRequest, obj: Matter | None = None) -> bool:  # noqa: ARG002
        """Deleting is more than rows, and its page would list documents: see `manage.py delete_matter`."""
        return False


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(PersonAdminBase):
    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """Accounts are closed, not deleted: what a person asked stays, and the page would list it."""
        return False
