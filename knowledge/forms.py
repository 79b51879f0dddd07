"""What the pages take in: each form turns a request into clean, typed values."""

from datetime import date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from knowledge import runs
from knowledge.models import AuditEvent, Matter, Preference, Right, Role, Run, Verdict, Version, Webhook
from knowledge.walls import Terms


class MatterForm(forms.Form):
    name = forms.CharField(max_length=200, error_messages={"required": "Give the matter a name."})


class MemberForm(forms.Form):
    """Let a person in, change their role, or (with `remove`) take them out."""

    username = forms.CharField(max_length=150, label="User name")
    role = forms.TypedChoiceField(
        choices=Role.choices, coerce=lambda value: Role(int(value)), empty_value=None, required=False
    )
    remove = forms.BooleanField(required=False)


class GroupForm(forms.Form):
    """Let a group in, change its role, or (with `remove`) take it out."""

    group = forms.CharField(max_length=150, label="Group")
    role = forms.TypedChoiceField(
        choices=Role.choices, coerce=lambda value: Role(int(value)), empty_value=None, required=False
    )
    remove = forms.BooleanField(required=False)


class WallForm(forms.Form):
    """Raise a wall against a person or a group; cleaned_data["against"] is whichever was named."""

    user = forms.CharField(max_length=150, required=False, label="User name")
    group = forms.CharField(max_length=150, required=False, label="or group")
    reason = forms.CharField(max_length=2000, label="Reason", error_messages={"required": "Give a reason."})
    notice = forms.CharField(max_length=2000, required=False, label="Notice to those behind it")
    since = forms.DateField(required=False, label="From")
    until = forms.DateField(required=False, label="Until")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        named = [data.get("user"), data.get("group")]
        if bool(named[0]) == bool(named[1]):
            raise forms.ValidationError("Name one person or one group.")
        people: Any = (
            User.objects.filter(username=named[0]) if named[0] else Group.objects.filter(name=named[1])
        )
        data["against"] = people.first()
        if data["against"] is None:
            raise forms.ValidationError(f"There is no user or group “{named[0] or named[1]}”.")
        return data

    def terms(self) -> Terms:
        """A day begins and ends in the time zone of the service; `until` is the last day."""
        data = self.cleaned_data
        until = _midnight(data["until"] + timedelta(days=1)) if data["until"] else None
        since = _midnight(data["since"]) if data["since"] else None
        return Terms(data["reason"], data["notice"], since, until)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class TokenForm(forms.Form):
    """A new token; without matters it reaches all that its person reaches."""

    name = forms.CharField(max_length=100, label="What it is for")
    rights = forms.MultipleChoiceField(choices=Right.choices, widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        choices=[("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked")],
        coerce=int, empty_value=None, required=False, initial="90", label="It holds for",
    )  # fmt: skip
    matters = forms.ModelMultipleChoiceField(
        queryset=Matter.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: QueryDict | None, choices: QuerySet[Matter]) -> None:
        super().__init__(data)
        self.fields["matters"].queryset = choices  # type: ignore[attr-defined]  # the field above


class CredentialField(forms.JSONField):
    """What a browser says of a security key; it may be anything."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except (RecursionError, ValueError):  # too deep; a number of too many digits
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class FactorForm(forms.Form):
    """A code of an app, a recovery code, what a key signed, or (to confirm) the password."""

    code = forms.CharField(max_length=20, required=False)
    credential = CredentialField(required=False)
    password = forms.CharField(max_length=4096, strip=False, required=False)


class KeyForm(forms.Form):
    """A new key: what it is called, and what the browser says of it."""

    name = forms.CharField(max_length=60, error_messages={"required": "Give the key a name."})
    credential = CredentialField(error_messages={"required": "The browser made no key."})


class AuditForm(forms.Form):
    """Which events of the audit to show."""

    person = forms.CharField(required=False, max_length=150)
    act = forms.ChoiceField(required=False, choices=[("", "Everything"), *AuditEvent.Act.choices])
    matter = forms.UUIDField(required=False)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)


class WebhookForm(forms.Form):
    url = forms.CharField(
        max_length=500,
        label="Address",
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.com/pincite"}),
        error_messages={"required": "Give the address to send to."},
    )
    events = forms.MultipleChoiceField(
        choices=Webhook.Event.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what it is told of."},
    )


class FilterForm(forms.Form):
    """Which documents of a matter to list."""

    name = forms.CharField(required=False, max_length=200, label="Name contains")
    state = forms.ChoiceField(
        required=False, choices=[("", "Any status"), *Version.State.choices], label="Status"
    )
    reason = forms.ChoiceField(
        required=False, choices=[("", "Any reason"), *Version.Reason.choices], label="Reason"
    )
    page = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)


class QuestionForm(forms.Form):
    """After which answer something is asked, or of which document alone.

    What is wrong with the question itself, the search says.
    """

    follows = forms.UUIDField(required=False)
    document = forms.UUIDField(required=False)


class ReadingForm(forms.Form):
    """Whether a document is always read in full, or never; `answer` is the page to go back to."""

    kind = forms.ChoiceField(required=False, choices=[("", ""), *Preference.Kind.choices])
    answer = forms.UUIDField(required=False)


class PlaceForm(forms.Form):
    """A place in a document: version, page, and the span [start, end) in code points of its text."""

    version = forms.UUIDField(required=False)
    page = forms.IntegerField(required=False, min_value=1, max_value=10**9)
    start = forms.IntegerField(required=False, min_value=0, max_value=10**9)
    end = forms.IntegerField(required=False, min_value=0, max_value=10**9)
    view = forms.ChoiceField(
        required=False, choices=[("", "As chosen"), ("text", "Text"), ("printed", "As printed")]
    )


class SearchForm(forms.Form):
    """Which part of what was found; `like` and `at` name a place of a version that others shall resemble."""

    page = forms.IntegerField(required=False, min_value=1, max_value=10**6)
    order = forms.ChoiceField(
        required=False,
        choices=[("places", "most places first"), ("date", "newest first"), ("name", "by name")],
        label="Order",
    )
    document = forms.UUIDField(required=False)
    like = forms.UUIDField(required=False)
    at = forms.IntegerField(required=False, min_value=0, max_value=10**9)


class SavedSearchForm(forms.Form):
    name = forms.CharField(max_length=100, error_messages={"required": "Give the search a name."})
    q = forms.CharField(max_length=10_000, strip=False)


class RunForm(forms.Form):
    """A question to every document, or research; of all documents or of some."""

    kind = forms.ChoiceField(choices=Run.Kind.choices)
    question = forms.CharField(max_length=2000)
    documents = forms.TypedMultipleChoiceField(coerce=UUID, required=False)

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        # Which documents these ids name is for access to say; here they only have to be ids.
        given = data.getlist("documents") if data is not None else []
        ids = [value for value in given if _is_id(value)]
        cast(forms.TypedMultipleChoiceField, self.fields["documents"]).choices = [(pk, pk) for pk in ids]


def _is_id(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


SHOWN = [("", "All"), *Verdict.Value.choices, (runs.GENERATED_NO, "No, by the generator")]


class VerdictForm(forms.Form):
    """A person's own verdict; an empty one takes it back. `show` is the filter of the page it came from."""

    value = forms.ChoiceField(choices=[("", "—"), *Verdict.Value.choices], required=False)
    show = forms.ChoiceField(choices=SHOWN, required=False)


class VerdictsForm(forms.Form):
    """Which verdicts of a run to list."""

    verdict = forms.ChoiceField(choices=SHOWN, required=False)
    page = forms.IntegerField(required=False, min_value=1)
