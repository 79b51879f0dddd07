"""What an answer adds to what is read: it goes on with its conversation's prompt, or begins anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from inference.errors import InferenceError
from inference.generator import Message
from knowledge import context, engines, prompts, reading
from knowledge.access import Scope
from knowledge.context import Plan
from knowledge.conversation import Conversation
from knowledge.models import Answer, Evidence
from knowledge.preferences import Wishes

CHANGED = "What was read before has changed, was deleted, or is not to be read; so the reading began anew."
FULL = "What was read before left no room for what this question needs; so the reading began anew."
# A prompt may grow to so many times what one answer may read; then it begins anew.
LONGEST = 4


@dataclass(frozen=True)
class Read:
    """The plan of one answer, its rows, and those that its prompt held before."""

    plan: Plan
    rows: list[Evidence]
    held: list[Evidence]
    anew: str = ""  # why the conversation's prompt could not go on


def read(scope: Scope, answer: Answer, shelf: reading.Shelf, wishes: Wishes, keys: Sequence[str]) -> Read:
    """Choose what to read for an answer with these key sentences."""
    anew = ""
    if answer.follows is not None and answer.follows.state == Answer.State.DONE:
        before = Conversation(answer.follows)
        if _may_go_on(scope, before, wishes):
            further = _go_on(before, shelf, keys, answer.question)
            if further is not None:
                return further
        anew = FULL if _may_go_on(scope, before, wishes) else CHANGED
    left = room(prompts.messages([], [prompts.Turn([], keys, answer.question)]))
    plan = shelf.plan(max(0, min(settings.CONTEXT_TOKENS, left)))
    return Read(plan, shelf.evidence(plan), [], anew)


def _go_on(before: Conversation, shelf: reading.Shelf, keys: Sequence[str], question: str) -> Read | None:
    """Add to the prompt what is not in it yet; None where that does not fit."""
    said = Message("assistant", before.answers[-1].said)
    asked = prompts.messages([], [prompts.Turn([], keys, question)])[-1]
    left = room([*before.messages(), said, asked], LONGEST * settings.CONTEXT_TOKENS)
    plan = shelf.extend(max(0, min(settings.CONTEXT_TOKENS, left)), reading.stretches(before.evidence))
    if left < 0 or plan.is_short:
        return None
    return Read(plan, shelf.evidence(plan), before.evidence)


def _may_go_on(scope: Scope, before: Conversation, wishes: Wishes) -> bool:
    """Whether all that the prompt so far held is still there, and may be read by this person now."""
    plan = before.answers[-1].plan
    versions = [row.version for row in before.evidence]
    documents = {version.document_id for version in versions}
    full = {row.version_id for row in before.evidence if row.kind == Evidence.Kind.FULL}
    wanted = {
        version.pk for version in wishes.pinned if version.document.path not in plan.get("too_long", [])
    }
    return (
        len(before.evidence) == plan.get("sources")
        and all(version.document.current_id == version.pk for version in versions)
        and all(version.document.matter_id in scope.matter_ids for version in versions)
        and (scope.document_ids is None or documents <= scope.document_ids)
        and not documents & wishes.excluded
        and wanted <= full
    )


def room(beside: Sequence[Message], most: int = 0) -> int:
    """Tokens for further sources beside these messages, in the generator's window and in `most`."""
    try:
        generator = engines.generator()
        lengths = [generator.count_tokens(message.content) for message in beside]
        return context.room(min(generator.window, most or generator.window), settings.ANSWER_TOKENS, lengths)
    except InferenceError:
        return int(settings.CONTEXT_TOKENS)  # the quotes can be shown without it; writing says what is wrong
