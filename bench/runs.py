"""One question to every document: what is said to be yes, against the set of documents that is known.

`PINCITE_BENCH_CONTRACTS` names the data directory of a service whose matter “Contracts” holds the contracts
of the evaluation data; without one there is nothing to measure. The wordings of clauses were tuned on every
other question; the rest checks them, and no wording was changed after looking at those.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from bench.figure import Figure
from bench.reading import DATA, service_over

QUESTIONS = DATA / "contracts" / "aggregate_questions.jsonl"


def measure() -> list[Figure]:
    directory = os.environ.get("PINCITE_BENCH_CONTRACTS", "")
    if not directory or not QUESTIONS.exists():
        print("  left out: PINCITE_BENCH_CONTRACTS names no data", file=sys.stderr)
        return []
    with service_over(directory):
        return _measure()


def _measure() -> list[Figure]:
    from knowledge.management.commands import evaluate_runs
    from knowledge.models import Matter

    matter = Matter.objects.get(name="Contracts")
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    figures: list[Figure] = []
    for name, half in evaluate_runs.halves(rows).items():
        _tell(f"{name}\n  {evaluate_runs.HEAD}")
        figures += _figures(name, evaluate_runs.scores(matter, half, _tell))
    return figures


def _tell(line: str) -> None:
    print(f"  {line}", flush=True)


def _figures(half: str, scores: Sequence[Any]) -> list[Figure]:
    from knowledge.management.commands.evaluate_runs import means

    precision, recall, f1 = means(scores)
    gold = sum(score.gold for score in scores)
    kept = sum(score.right + score.undecided_gold for score in scores)
    return [
        Figure(f"runs: precision of the documents said to be yes, {half}", precision, ""),
        Figure(f"runs: recall of the documents said to be yes, {half}", recall, ""),
        Figure(f"runs: F1 of the documents said to be yes, {half}", f1, ""),
        Figure(f"runs: of the known documents yes or undecided, {half}", kept / gold, ""),
    ]
