"""Asking: retrieve once, quote, plan what to read, store. `knowledge.writing` then generates the text."""

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import User
from django.db import transaction

from knowledge import (
    absence,
    audit,
    choices,
    generations,
    preferences,
    quotes,
    reading,
    search,
    topics,
    turns,
)
from knowledge.access import Scope
from knowledge.clauses import Clause
from knowledge.models import Answer, Citation, Evidence, Matter, Passage
from knowledge.pins import Pin, Texts
from knowledge.preferences import Wishes

RESULTS = 20
NOTHING = (
    "Nothing in these documents is close enough to the question to answer it, so no answer was generated."
)


def ask(scope: Scope, matter: Matter, asker: User, question: str, follows: Answer | None = None) -> Answer:
    """Find the evidence and store it with the reading plan and the key quotes; generate nothing yet.

    With `follows` it goes on with the prompt of that answer, if what it needs still fits.
    Raises search.BadQuery for a question that is empty or too long.
    """
    question = search.checked(question)
    wishes = preferences.of(scope, asker, matter)
    passages = _found(scope, question, follows, wishes)
    answer = Answer(matter=matter, asker=asker, question=question, follows=follows)
    asked = topics.asked(generations.embedder(generations.current()), question) if passages else []
    found = _quotes(question, follows, passages, asked)
    if not found:
        search.check_rebuilt(scope)
        answer.state, answer.reason = Answer.State.NOTHING, NOTHING
        with transaction.atomic():
            answer.save()
            _record(answer)
        return answer
    pins = _pins(found)
    shelf = reading.Shelf(passages, wishes.pinned)
    read = turns.read(scope, answer, shelf, wishes, [pin.quote for pin in pins])
    answer.goes_on = bool(read.held)
    answer.plan = reading.told([*read.held, *read.rows], read.plan, shelf, wishes, scope) | {
        "anew": read.anew,
        "choices": [] if follows else [row.path for row in choices.of(scope, question, passages)],
        "unworded": absence.unworded(scope, asked, [quote.passage for quote in found]),
    }
    with transaction.atomic():
        answer.save()
        for row in read.rows:
            row.answer = answer
        Evidence.objects.bulk_create(read.rows)
        Citation.objects.bulk_create(_key_citations(answer, pins))
        _record(answer)
    return answer


def _record(answer: Answer) -> None:
    """The question, in the audit, in the same transaction as its evidence."""
    subject, said = f"answer:{answer.pk}", answer.question
    audit.record(audit.Act.QUESTION, subject, matter_id=answer.matter_id, text=said, by=answer.asker)


def _found(scope: Scope, question: str, follows: Answer | None, wishes: Wishes) -> list[Passage]:
    """Passages by rank, without excluded documents. “And in the second year?” is also looked for together
    with the question before it.
    """
    queries = [question, *([_together(follows, question)] if follows else [])]
    most = search.MOST_RESULTS if wishes.excluded else RESULTS
    lists = [[result.passage for result in search.retrieve(scope, query, most)] for query in queries]
    ranked = sorted(
        ((rank, place, row) for place, rows in enumerate(lists) for rank, row in enumerate(rows)),
        key=lambda each: each[:2],
    )
    each_once = {row.pk: row for _, _, row in ranked if row.version.document_id not in wishes.excluded}
    return list(each_once.values())[:RESULTS]


def _together(follows: Answer, question: str) -> str:
    return f"{follows.question} {question}"[-search.LONGEST_QUERY :]


def _quotes(
    question: str, follows: Answer | None, passages: Sequence[Passage], asked: Sequence[Clause]
) -> list[quotes.Quote]:
    generation = generations.current()
    found = quotes.best(generation, question, passages, asked)
    if not found and follows is not None:
        found = quotes.best(generation, _together(follows, question), passages)
    return found


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
