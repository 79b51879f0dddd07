"""Django's admin: people (as Django registers them), matters and who is in them. No documents, no answers."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from knowledge.models import Matter, Membership

if TYPE_CHECKING:
    MembershipInline = admin.TabularInline[Membership, Matter]
    MatterAdminBase = admin.ModelAdmin[Matter]
else:  # at run time Django's admin classes take no parameters
    MembershipInline = admin.TabularInline
    MatterAdminBase = admin.ModelAdmin


class Members(MembershipInline):
    model = Membership
    extra = 1
    autocomplete_fields = ["user"]


@admin.register(Matter)
class MatterAdmin(MatterAdminBase):
    list_display = ["name", "created"]
    search_fields = ["name"]
    inlines = [Members]

    def has_delete_permission(self, request: HttpRequest, obj: Matter | None = None) -> bool:  # noqa: ARG002
        """Deleting is more than rows, and its page would list documents: see `manage.py delete_matter`."""
        return False
