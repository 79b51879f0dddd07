"""Research on one question: plan, search for each sub-question, note what is found and what is not, write.

Each call is one step. It begins by making sure that the run is still ours, wanted, allowed and in time; what
it did is stored with its step in one transaction, so a worker that takes over goes on behind it.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction

from inference.errors import InferenceError
from inference.generator import Options, Usage
from knowledge import (
    access,
    engines,
    findings,
    generations,
    jobs,
    prompts,
    quotes,
    report,
    search,
    sentences,
    streams,
    subquestions,
    topics,
    traces,
)
from knowledge.citations import Checker, Read, without_markers
from knowledge.models import Finding, Run, Step
from knowledge.pins import at
from knowledge.subquestions import Plan, Shape
from knowledge.units import Unit, marked

SECONDS = 300.0  # of work, over all workers that had it
RESULTS = 2 * quotes.PASSAGES
MOST_IN_SUMMARY = 12  # findings that the generator reads
LEFT = "Who asked may no longer read this matter, so the run ended."
LATE = "The time for this research was up; what had been found is reported."


class Ended(Exception):
    """The run must not go on; the message says why."""


class Investigation:
    def __init__(self, lease: jobs.Lease, run: Run) -> None:
        self._lease, self._run = lease, run
        self._started = time.monotonic()
        self._embedder = generations.embedder(generations.current())
        self._model, self._usage = "", Usage()  # of the generator, once it summed up

    def plan(self) -> Plan:
        """The stored plan of a worker before us, or a new one."""
        self._go_on("planning")
        made = self._run.steps.filter(kind="plan").first()
        if made is not None:
            return Plan.of(made.data["plan"])
        plan = subquestions.plan(self._run.question, sorted(self._documents()))
        labels = "; ".join(part.label for part in plan.parts)
        told = f"Plan ({plan.shape}): {labels}. {plan.caution}".strip()
        self._note("plan", told, plan=plan.told())
        return plan

    def is_late(self) -> bool:
        return self._run.seconds + time.monotonic() - self._started > SECONDS

    def look(self, plan: Plan, place: int) -> None:
        """Search for one sub-question, a second time in other words if need be, and note what is found."""
        self._go_on("searching", place, len(plan.parts))
        if self._run.steps.filter(kind__in=("finding", "gap"), data__place=place).exists():
            return
        part = plan.parts[place]
        self._note(
            "search", f"Searching for “{part.query}”{f' in {part.document}' if part.document else ''}."
        )
        found = self._search(plan, place, part.query)
        if not found:
            other = self._other_words(part.query)
            self._note("search", f"Nothing yet; searching again for “{other}”.")
            found = self._search(plan, place, other)
        self._keep(plan, place, found)

    def write(self, plan: Plan) -> None:
        """Put the report together and store it with the last step."""
        self._go_on("writing")
        found, gaps = self._noted(plan)
        self._note("write", "Putting the report together.")
        sections = report.compose(plan, found, gaps)
        if settings.RUN_GENERATOR and found:
            sections = [*self._summary([row for _, row in found]), *sections]
        note = " ".join(filter(None, [plan.caution, LATE if self.is_late() else ""]))
        told = f"Quotes: {len(found)}. Sub-questions without any: {len(gaps)}. {note}".strip()
        with transaction.atomic():
            self._note("done", told)
            if not self._all_there([row for _, row in found]):
                sections, note = [], traces.SOURCE_DELETED
            Run.objects.filter(pk=self._run.pk).update(report=sections, note=note)
            self._run.add(time.monotonic() - self._started, self._model, self._usage)

    def _all_there(self, rows: Sequence[Finding]) -> bool:
        """Whether no source was deleted meanwhile. From here on a deletion waits for the run."""
        Run.objects.select_for_update().get(pk=self._run.pk)
        wanted = {row.pk for row in rows}
        return self._run.findings.filter(pk__in=wanted).count() == len(wanted)

    def _go_on(self, stage: str, progress: int = 0, total: int = 0) -> None:
        """Raise LeaseLost or Ended unless the run may go on."""
        self._lease.report(stage, progress, total)
        self._run.asker.refresh_from_db(fields=["is_active"])
        if self._scope(None).is_empty or not self._run.asker.is_active:
            raise Ended(LEFT)

    def _scope(self, document: str | None) -> access.Scope:
        chosen = None if self._run.documents is None else set(self._run.documents)
        if document:
            rows = self._run.matter.documents.filter(path=document)
            one = {str(pk) for pk in rows.values_list("pk", flat=True)}
            chosen = one if chosen is None else chosen & one
        return access.scope_for(self._run.asker, self._run.matter, chosen)

    def _documents(self) -> list[str]:
        rows = self._run.matter.documents.filter(current__isnull=False)
        if self._run.documents is not None:
            rows = rows.filter(pk__in=self._run.documents)
        return list(rows.values_list("path", flat=True))

    def _search(self, plan: Plan, place: int, query: str) -> list[quotes.Quote]:
        results = search.retrieve(self._scope(plan.parts[place].document), query, RESULTS)
        passages = [result.passage for result in results]
        reach = RESULTS if plan.shape in {Shape.LIST, Shape.CHRONOLOGY} else quotes.PASSAGES
        found: list[quotes.Quote] = []
        for begin in range(0, min(reach, len(passages)), quotes.PASSAGES):
            found += quotes.best(generations.current(), query, passages[begin : begin + quotes.PASSAGES])
        return found

    def _other_words(self, query: str) -> str:
        """As lawyers word it where it is a kind of clause, else the bare words."""
        clause = topics.clause(self._embedder, topics.of(query))
        return clause.sentences[0] if clause and clause.sentences else subquestions.rephrased(query)

    def _keep(self, plan: Plan, place: int, found: Sequence[quotes.Quote]) -> None:
        pins = findings.pinned(found)
        known = set(self._run.findings.values_list("version", "start", "end"))
        if plan.shape in {Shape.LIST, Shape.CHRONOLOGY}:  # each once; a comparison may need one on both sides
            pins = {
                pin: score for pin, score in pins.items() if (pin.version_id, pin.start, pin.end) not in known
            }
        if not found:
            self._note("gap", f"Nothing was found for “{plan.parts[place].label}”.", place=place, findings=[])
            return
        with transaction.atomic():
            first = self._run.findings.count() + 1
            rows = [
                findings.finding(self._run.pk, number, pin, score)
                for number, (pin, score) in enumerate(pins.items(), start=first)
            ]
            Finding.objects.bulk_create(rows)
            told = f"{len(rows)} new quote{'' if len(rows) == 1 else 's'} for “{plan.parts[place].label}”."
            self._note("finding", told, place=place, findings=[row.number for row in rows])

    def _noted(self, plan: Plan) -> tuple[list[tuple[int, Finding]], list[int]]:
        """All findings with the place of their sub-question, and the places without any."""
        rows = {row.number: row for row in self._run.findings.select_related("version__document")}
        found, looked = [], {}
        for step in self._run.steps.filter(kind__in=("finding", "gap")):
            looked[step.data["place"]] = step.kind
            found += [
                (step.data["place"], rows[number]) for number in step.data["findings"] if number in rows
            ]
        return found, [place for place in range(len(plan.parts)) if looked.get(place) != "finding"]

    def _summary(self, rows: Sequence[Finding]) -> list[dict[str, Any]]:
        """What the generator makes of the quotes, each sentence once and checked against them."""
        read = rows[:MOST_IN_SUMMARY]
        units = [Unit(row.number, row.start, row.end) for row in read]
        checker = Checker(
            [
                Read(row.version_id, row.start, row.quote, [unit])
                for row, unit in zip(read, units, strict=True)
            ]
        )
        try:
            text = self._written(read, units)
        except InferenceError as error:
            self._note("problem", f"No summary could be written. {error}")
            return []
        claims = dict.fromkeys(span.of(text) for span in sentences.split(text))
        checked = [(without_markers(claim), checker.support(claim)) for claim in claims]
        return [report.written([(said, found.unit if found else None) for said, found in checked if said])]

    def _written(self, read: Sequence[Finding], units: Sequence[Unit]) -> str:
        sources = [
            prompts.Source(_title(row), marked(row.quote, row.start, [unit]))
            for row, unit in zip(read, units, strict=True)
        ]
        keys = [f"[{unit.id}] {row.quote}" for row, unit in zip(read, units, strict=True)]
        said = prompts.messages([], [prompts.Turn(sources, keys, self._run.question)])
        options = Options(
            max_tokens=settings.ANSWER_TOKENS,
            deadline_seconds=settings.ANSWER_SECONDS,
            scope=engines.scope_of(self._run.matter_id),
            ids=tuple(str(unit.id) for unit in units),
        )
        streams.give_back_connection()  # generation never holds a connection
        generator = engines.generator()
        stream = generator.stream(said, options, self._lease.lost.is_set)
        with self._lease.idle():
            text = "".join(stream)
        self._model, self._usage = generator.name, stream.usage
        return sentences.whole(text)[0] if stream.usage.is_cut else text

    @transaction.atomic
    def _note(self, kind: str, told: str, **data: Any) -> None:
        self._lease.hold()
        number = self._run.steps.count() + 1
        Step.objects.create(run=self._run, number=number, kind=kind, data={"told": told, **data})


def _title(row: Finding) -> str:
    return f"{row.version.document.path}, {at(row.page_label)}"
