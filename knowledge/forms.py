"""What the pages take in: each form turns a request into clean, typed values."""

from django import forms

from knowledge.models import Role, Version


class MatterForm(forms.Form):
    name = forms.CharField(max_length=200, error_messages={"required": "Give the matter a name."})


class MemberForm(forms.Form):
    """Let a person in, change their role, or (with `remove`) take them out."""

    username = forms.CharField(max_length=150, label="User name")
    role = forms.TypedChoiceField(
        choices=Role.choices, coerce=lambda value: Role(int(value)), empty_value=None, required=False
    )
    remove = forms.BooleanField(required=False)


class FilterForm(forms.Form):
    """Which documents of a matter to list."""

    name = forms.CharField(required=False, max_length=200, label="Name contains")
    state = forms.ChoiceField(
        required=False, choices=[("", "Any status"), *Version.State.choices], label="Status"
    )
    page = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)


class PlaceForm(forms.Form):
    """A place in a document: version, page, and the span [start, end) in code points of its text."""

    version = forms.UUIDField(required=False)
    page = forms.IntegerField(required=False, min_value=1, max_value=10**9)
    start = forms.IntegerField(required=False, min_value=0, max_value=10**9)
    end = forms.IntegerField(required=False, min_value=0, max_value=10**9)
