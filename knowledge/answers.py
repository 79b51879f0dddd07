"""Asking: retrieve once, quote, plan what to read, store. `knowledge.writing` then generates the text."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from inference.errors import InferenceError
from knowledge import audit, context, engines, generations, prompts, quotes, search
from knowledge.access import Scope
from knowledge.models import Answer, Citation, Evidence, Matter, Passage, Version
from knowledge.pins import Pin, Texts

RESULTS = 20
NOTHING = (
    "Nothing in these documents is close enough to the question to answer it, so no answer was generated."
)
# Documents longer than this many characters per token of the budget cannot fit, and are not counted exactly.
MOST_CHARACTERS_PER_TOKEN = 6

MARGIN_TOKENS = 32  # what the template and the joints between sources may cost, for each message


def ask(scope: Scope, matter: Matter, asker: User, question: str) -> Answer:
    """Find the evidence and store it with the reading plan and the key quotes; generate nothing yet.

    Raises search.BadQuery for a question that is empty or too long.
    """
    question = search.checked(question)
    results = search.retrieve(scope, question, RESULTS)
    passages = [result.passage for result in results]
    found = quotes.best(generations.embedder(generations.current()), question, passages)
    if not found:
        search.check_rebuilt(scope)
        with transaction.atomic():
            answer = Answer.objects.create(
                matter=matter, asker=asker, question=question, state=Answer.State.NOTHING, reason=NOTHING
            )
            _record(answer)
        return answer
    pins = _pins(found)
    plan = _plan(passages, _budget(question, [pin.quote for pin in pins]))
    with transaction.atomic():
        answer = Answer.objects.create(
            matter=matter, asker=asker, question=question, plan=_told(plan, passages)
        )
        Evidence.objects.bulk_create(_evidence(answer, plan, passages))
        Citation.objects.bulk_create(_key_citations(answer, pins))
        _record(answer)
    return answer


def _record(answer: Answer) -> None:
    """The question, in the audit, in the same transaction as its evidence."""
    subject, said = f"answer:{answer.pk}", answer.question
    audit.record(audit.Act.QUESTION, subject, matter_id=answer.matter_id, text=said, by=answer.asker)


def _pins(found: Sequence[quotes.Quote]) -> dict[Pin, float]:
    """Whole sentences, each once, with their scores; only what the document says there word for word."""
    texts = Texts({quote.passage.version_id for quote in found})
    pins: dict[Pin, float] = {}
    for quote in found:
        version_id = quote.passage.version_id
        start, end = texts.sentence(version_id, quote.start, quote.end)
        pin = texts.pin(version_id, start, end, texts.slice(version_id, start, end))
        if pin is not None and quote.text in pin.quote:
            pins.setdefault(pin, quote.score)
    return pins


def _budget(question: str, key_sentences: Sequence[str]) -> int:
    """Tokens for sources: as configured, but never more than the generator's window has room for."""
    try:
        generator = engines.generator()
        said = [message.content for message in prompts.messages([], key_sentences, question)]
        beside = sum(generator.count_tokens(text) + MARGIN_TOKENS for text in said)
        room = generator.window - beside - settings.ANSWER_TOKENS
    except InferenceError:
        return int(settings.CONTEXT_TOKENS)  # the quotes can be shown without it; writing says what is wrong
    return max(0, min(int(settings.CONTEXT_TOKENS), room))


def _plan(passages: Sequence[Passage], budget: int) -> context.Plan:
    candidates = [
        context.Candidate(row.pk, row.version_id, row.start, row.end, _tokens(row.text)) for row in passages
    ]
    versions = {row.version_id: row.version for row in passages}
    lengths = {pk: _length(version, budget) for pk, version in versions.items()}
    return context.plan(candidates, lengths, budget)


def _length(version: Version, budget: int) -> int:
    """Tokens of the whole document; an estimate where it cannot fit anyhow."""
    if version.characters > budget * MOST_CHARACTERS_PER_TOKEN:
        return version.characters // 4
    return _tokens(version.text())


def _tokens(text: str) -> int:
    try:
        return engines.generator().count_tokens(text)
    except InferenceError:
        return len(text) // 3


def _evidence(answer: Answer, plan: context.Plan, passages: Sequence[Passage]) -> list[Evidence]:
    """What will be in the prompt, in canonical order: by document, then by place in it."""
    versions = {row.version_id: row.version for row in passages}
    rows = {row.pk: row for row in passages}
    whole = [
        Evidence(kind=Evidence.Kind.FULL, version=versions[pk], start=0, end=versions[pk].characters)
        for pk in plan.full
    ]
    parts = [
        Evidence(
            kind=Evidence.Kind.PASSAGE,
            version=versions[chosen.version_id],
            start=chosen.start,
            end=chosen.end,
            heading=rows[chosen.passage_id].heading,
        )
        for chosen in plan.passages
    ]
    evidence = sorted([*whole, *parts], key=lambda row: (row.version.document.path, row.start))
    for number, row in enumerate(evidence, start=1):
        row.answer, row.number = answer, number
    return evidence


def _key_citations(answer: Answer, pins: Mapping[Pin, float]) -> list[Citation]:
    return [
        citation(answer, number, pin, Citation.Origin.KEY, score)
        for number, (pin, score) in enumerate(pins.items(), start=1)
    ]


def citation(answer: Answer, number: int, pin: Pin, origin: Citation.Origin, score: float) -> Citation:
    """An unsaved citation; a Pin exists only for words that were checked."""
    return Citation(
        answer=answer,
        number=number,
        origin=origin,
        version_id=pin.version_id,
        page=pin.page,
        page_label=pin.page_label,
        start=pin.start,
        end=pin.end,
        quote=pin.quote,
        score=score,
    )


def _told(plan: context.Plan, passages: Sequence[Passage]) -> dict[str, object]:
    """The plan as the page and the API show it."""
    names: dict[UUID, str] = {row.version_id: row.version.document.path for row in passages}
    by_passage = {chosen.version_id for chosen in plan.passages}
    return {
        "full": sorted(names[pk] for pk in plan.full),
        "by_passage": sorted(names[pk] for pk in by_passage),
        "not_read": sorted(names[pk] for pk in plan.left_out),
        "budget": plan.budget,
        "used": plan.used,
    }
