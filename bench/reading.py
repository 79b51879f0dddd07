"""The reading plan against reading everything: does a reader that misses nothing still find the answer?

The scripted reader answers when the gold words of a question stand in what it is given. The budget is a sixth
of the tokens of all documents. `PINCITE_BENCH_CONTRACTS` names the data directory of a service whose matter
“Contracts” holds the contracts of the evaluation data; without one the demo case file alone is read.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figure import Figure

SHARE = 6
RESULTS = 20
DATA = Path(os.environ.get("PINCITE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Asked:
    question: str
    document: str  # its path in the matter
    gold: Sequence[str]  # one of these must be read


def measure() -> list[Figure]:
    contracts = os.environ.get("PINCITE_BENCH_CONTRACTS", "")
    if contracts:
        with service_over(contracts):
            return _figures("contracts", _matter("Contracts"), _contract_questions())
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory, service_over(directory):
        return _figures("demo case file", demo_matter(), _demo_questions())


@contextmanager
def service_over(directory: str) -> Iterator[None]:
    """Django over this data directory, with the models' weights that the checkout has."""
    from bench.serving import environment

    os.environ.update(environment(Path(directory)))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from knowledge import engines

    try:
        yield
    finally:
        engines.close()


def _figures(name: str, matter: Any, asked: Sequence[Asked]) -> list[Figure]:
    from knowledge import access, reading, search

    versions = {row.path: row.current for row in matter.documents.filter(current__isnull=False)}
    whole = reading.Shelf([], versions.values()).plan(10**9)
    budget = whole.used // SHARE
    scope = access.scope_for(matter.members.first(), matter)
    found = used = possible = 0
    for each in asked:
        shelf = reading.Shelf([row.passage for row in search.retrieve(scope, each.question, RESULTS)])
        version = versions[each.document]
        everything = [version.text()]
        if not _answers(each, everything):  # the text was read otherwise than the gold has it
            continue
        plan = shelf.plan(budget)
        parts = [version.text()[s.start : s.end] for s in plan.passages if s.version_id == version.pk]
        possible += 1
        found += _answers(each, everything if version.pk in plan.full else parts)
        used += plan.used
    share = used / possible / whole.used
    return [
        Figure(f"reading: answers found by plan, {name}", 100 * found / possible, "%", ">= 99"),
        Figure(f"reading: tokens of all read by plan, {name}", 100 * share, "%", f"<= {100 / SHARE:.1f}"),
        Figure(f"reading: questions, {name}", possible, "questions"),
    ]


def _answers(asked: Asked, texts: Sequence[str]) -> bool:
    return any(_bare(gold) in _bare(text) for gold in asked.gold for text in texts)


def _bare(text: str) -> str:
    """Letters and figures alone: line breaks, hyphens and ligatures differ between a page and its copy."""
    from knowledge import folding

    return re.sub(r"\W+", "", folding.fold(text)[0])


def _matter(name: str) -> Any:
    from knowledge.models import Matter

    return Matter.objects.get(name=name)


def demo_matter() -> Any:
    from django.contrib.auth.models import User

    from ingestion import pipeline
    from knowledge import documents, matters
    from knowledge.demo import FILES

    matter = matters.create("Bench", User.objects.create_user("bench"))
    for path in sorted(FILES.iterdir()):
        added = documents.add(matter, path.name, [path.read_bytes()], None)
        if added.version.job is not None:
            pipeline.run(added.version.job.pk)
    return matter


def _demo_questions() -> list[Asked]:
    from knowledge.demo import questions

    return [
        Asked(row.question, row.document, [row.quote])
        for row in questions()
        if row.document is not None and row.quote is not None
    ]


def _contract_questions() -> list[Asked]:
    folder = DATA / "contracts"
    served = {
        row["doc_id"]: Path(row["served"]).name for row in map(json.loads, _lines(folder / "documents.jsonl"))
    }
    return [
        Asked(row["query"], served[row["doc_id"]], [snippet["text"] for snippet in row["snippets"]])
        for row in map(json.loads, _lines(folder / "questions.jsonl"))
        if row["answerable"]
    ]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    print(*measure(), sep="\n")
