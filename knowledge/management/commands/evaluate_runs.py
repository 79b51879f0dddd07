"""`manage.py evaluate_runs MATTER FILE`: how well verdicts on every document agree with a known set.

FILE has one JSON object a line: {"query": question, "gold_docs": [names of documents without their endings]}.
Every other question is for tuning (the first, third, …), the rest for checking; both are told apart.
"""

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import exhaustive, generations, verdicts
from knowledge.models import Document, Matter, Verdict

Row = dict[str, Any]


@dataclass(frozen=True)
class Score:
    """How the documents found for one question compare with those that should be."""

    question: str
    right: int
    found: int  # said to be yes
    gold: int
    undecided: int
    undecided_gold: int  # undecided, and belonging to the set
    seconds: float

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.gold) if self.found + self.gold else 0.0

    def line(self) -> str:
        figures = f"{self.precision:.2f}  {self.recall:.2f}  {self.f1:.2f}"
        counts = (
            f"{self.right:>3} of {self.gold:>3}  {self.found:>4} {self.undecided:>4} {self.seconds:>6.1f}"
        )
        return f"{figures}  {counts}  {self.question[:80]}"


HEAD = "prec  rec   F1    right       yes   un.   secs  question"


class Command(BaseCommand):
    help = "Compare verdicts on every document with a known set, question by question."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("matter", help="name of the matter")
        parser.add_argument("questions", type=Path, help="JSON lines with query and gold_docs")
        parser.add_argument("--half", choices=["tuning", "check", "both"], default="both")

    def handle(self, *_args: Any, **options: Any) -> None:
        matter = Matter.objects.filter(name=options["matter"]).first()
        if matter is None:
            raise CommandError(f"No matter “{options['matter']}”.")
        rows = [json.loads(line) for line in options["questions"].read_text().splitlines() if line.strip()]
        for name, questions in halves(rows).items():
            if options["half"] in {name, "both"}:
                self.stdout.write(f"\n{name}\n{HEAD}")
                found = scores(matter, questions, self.stdout.write)
                self.stdout.write(f"mean  {told(found)}")


def halves(rows: Sequence[Row]) -> dict[str, Sequence[Row]]:
    return {"tuning": rows[0::2], "check": rows[1::2]}


def scores(matter: Matter, rows: Iterable[Row], tell: Callable[[str], object]) -> list[Score]:
    """One for each question, told as soon as it is known."""
    found: list[Score] = []
    for row in rows:
        found.append(evaluate(matter, row["query"], set(row["gold_docs"])))
        tell(found[-1].line())
    return found


def evaluate(matter: Matter, question: str, gold: set[str]) -> Score:
    """Judge every document of the matter; nothing is stored."""
    started = time.perf_counter()
    asked = verdicts.analysed(generations.embedder(generations.current()), question)
    said = {_name(document.path): _value(asked, document) for document in _documents(matter)}
    yes = {name for name, value in said.items() if value == Verdict.Value.YES}
    open_ = {name for name, value in said.items() if value == Verdict.Value.UNDECIDED}
    return Score(
        question=question,
        right=len(yes & gold),
        found=len(yes),
        gold=len(gold),
        undecided=len(open_),
        undecided_gold=len(open_ & gold),
        seconds=time.perf_counter() - started,
    )


def told(scores: Sequence[Score]) -> str:
    precision, recall, f1 = means(scores)
    return f"precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}"


def means(scores: Sequence[Score]) -> tuple[float, float, float]:
    """Precision, recall and F1, each the mean over the questions."""
    return (
        _mean(score.precision for score in scores),
        _mean(score.recall for score in scores),
        _mean(score.f1 for score in scores),
    )


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0


def _documents(matter: Matter) -> Iterable[Document]:
    return matter.documents.filter(current__isnull=False).select_related("current").order_by("path")


def _value(asked: verdicts.Question, document: Document) -> str:
    passages = exhaustive.passages(document)
    return verdicts.judge(asked, passages).value if passages else Verdict.Value.UNDECIDED


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(".")[0]
