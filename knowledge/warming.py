"""Reading ahead: what questions about a matter are likely to read in full is read before anybody asks.

The generator keeps what it has read, under the matter's name alone; a question that begins with the same
documents starts where they end.
"""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q

from inference.generator import Message, Usage
from knowledge import access, audit, conversation, engines, preferences, queue, reading
from knowledge.models import Evidence, Job, Matter, Preference, Version
from knowledge.streams import give_back_connection

MAIN_DOCUMENTS = 8


def queue_matter(matter: Matter, person: User) -> list[Job]:
    """A job for each main document. What waits from the last time is asked for anew."""
    versions = main_documents(matter, person)
    subject, details = f"matter:{matter.pk}", {"read_ahead": len(versions)}
    with transaction.atomic():
        Job.objects.filter(matter=matter, by=person, kind=Job.Kind.WARM, state=Job.State.DUE).delete()
        jobs = [
            Job.objects.create(kind=Job.Kind.WARM, matter=matter, version=version, by=person)
            for version in versions
        ]
        for job in jobs:
            queue.wake_after_commit(job.pk)
        audit.record(audit.Act.CHANGE, subject, matter_id=matter.pk, details=details)
    return jobs


def main_documents(matter: Matter, person: User) -> list[Version]:
    """Those the person always wants read, as one; then what was read most, of what fits beside them."""
    pinned = _pinned(matter, person)
    excluded = preferences.of_matter(person, matter).filter(kind=Preference.Kind.NEVER).values("document")
    others = Version.objects.select_related("document").filter(current_of__matter=matter, characters__gt=0)
    others = others.exclude(document__in=excluded).exclude(pk__in=[version.pk for version in pinned])
    full = Count("evidence", filter=Q(evidence__kind=Evidence.Kind.FULL))
    often = others.annotate(full=full, times=Count("evidence")).order_by(
        "-full", "-times", "characters", "pk"
    )
    fitting = [version for version in often[: 4 * MAIN_DOCUMENTS] if reading.fit([*pinned, version])]
    return [*pinned[-1:], *fitting][:MAIN_DOCUMENTS]


def read(job: Job, is_cancelled: Callable[[], bool]) -> Usage | None:
    """Read the job's prompt; None where there is nothing to read."""
    messages = prompt(job)
    if not messages:
        return None
    give_back_connection()  # reading takes its time
    return engines.generator().warm(messages, engines.scope_of(job.matter_id), is_cancelled)


def prompt(job: Job) -> list[Message]:
    """How the prompts begin that read the job's document in full."""
    versions = _documents(job)
    return conversation.warming(versions) if versions else []


def _documents(job: Job) -> list[Version]:
    """None where the person may no longer read the matter, or the document is not read any more."""
    person, version = job.by, job.version
    if person is None or version is None or version.document.current_id != version.pk:
        return []
    if not access.open_to(person.pk).filter(pk=job.matter_id).exists():
        return []
    pinned = _pinned(job.matter, person)
    return pinned if version in pinned else [*pinned, version]


def _pinned(matter: Matter, person: User) -> list[Version]:
    """The documents that lead every prompt of this person, in its order: those that fit."""
    wishes = preferences.of(access.scope_for(person, matter), person, matter)
    shelf = reading.Shelf([], wishes.pinned)
    return [shelf.versions[pk] for pk in shelf.plan(int(settings.CONTEXT_TOKENS)).full]
