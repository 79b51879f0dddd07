"""What a deleted document has left in other rows of its matter: answers, plans, the words of the audit."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from knowledge import audit
from knowledge.models import Answer, Document, Replay, Run, Step, Version

SOURCE_DELETED = "A document that this was written from has been deleted, and its text with it."


def remove(matter_id: UUID, documents: Sequence[Document], versions: Sequence[Version]) -> None:
    """In the transaction in which the documents themselves go, and before they do."""
    _answers(versions)
    _runs(versions)
    _plans(matter_id, {document.path for document in documents})
    audit.forget(matter_id, [f"document:{document.pk}" for document in documents])
    Replay.objects.filter(matter=matter_id).delete()  # stored responses may quote them


def _answers(versions: Sequence[Version]) -> None:
    """The model read the document, whatever it then cited: the whole text goes."""
    written = Q(evidence__version__in=versions) | Q(citations__version__in=versions)
    found = set(Answer.objects.filter(written).values_list("pk", flat=True))
    Answer.objects.filter(pk__in=found | _going_on(found)).update(
        sentences=[], said="", state=Answer.State.NOTHING, reason=SOURCE_DELETED
    )


def _going_on(answers: set[UUID]) -> set[UUID]:
    """The later answers whose prompt begins with that of one of these."""
    later: set[UUID] = set()
    newest = answers
    while newest:
        rows = Answer.objects.filter(follows__in=newest, goes_on=True)
        newest = set(rows.values_list("pk", flat=True)) - later
        later |= newest
    return later


def _runs(versions: Sequence[Version]) -> None:
    """Research that quotes the document: its report and its steps go; findings go with what they quote."""
    runs = Run.objects.filter(pk__in=Run.objects.filter(findings__version__in=versions).values("pk"))
    Step.objects.filter(run__in=runs).delete()
    runs.update(report=[], note=SOURCE_DELETED)


def _plans(matter_id: UUID, paths: set[str]) -> None:
    """A reading plan names documents that were read, and those that were not."""
    for answer in Answer.objects.filter(matter=matter_id).only("plan").iterator(chunk_size=500):
        plan = {key: _without(value, paths) for key, value in answer.plan.items()}
        if plan != answer.plan:
            Answer.objects.filter(pk=answer.pk).update(plan=plan)


def _without(value: Any, paths: set[str]) -> Any:
    return [each for each in value if each not in paths] if isinstance(value, list) else value
