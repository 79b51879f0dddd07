"""Ending where a person is signed in; page and REST call the same."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from knowledge import audit
from knowledge.models import SignIn


def end(found: SignIn) -> None:
    subject = f"sign_in:{found.pk}"
    with transaction.atomic():
        found.end()
        audit.record(audit.Act.SIGN_OUT, subject)


def end_others(sign_ins: QuerySet[SignIn], here: str | None) -> None:
    """Sign out everywhere but in the session with this key; everywhere where there is none."""
    with transaction.atomic():
        for found in sign_ins.exclude(session_key=here or ""):
            found.end()
        audit.record(audit.Act.SIGN_OUT, "all others")


def end_all(person: User) -> None:
    """Sign this person out everywhere, by somebody else."""
    with transaction.atomic():
        for found in person.sign_ins.all():
            found.end()
        audit.record(audit.Act.SIGN_OUT, f"user:{person.pk}")
