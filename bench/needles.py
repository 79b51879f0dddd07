"""Needles in merger agreements: is the sentence that answers quoted, and read, however long the document is?

Each haystack is a matter of its own with one document of 30,000 to 900,000 characters, one sentence of which
has nothing to do with the rest. Its question is asked as a person would: retrieval, quotes, reading plan. The
questions about the other needles, which this haystack does not hold, must find nothing.
`PINCITE_BENCH_NEEDLES` is the longest haystack that is measured, in characters (300,000 unless told).
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figure import Figure
from bench.reading import DATA, service_over

LONGEST = int(os.environ.get("PINCITE_BENCH_NEEDLES", "300000"))
NEEDLES = DATA / "long_context" / "needles.jsonl"
RESULTS = 20


@dataclass(frozen=True)
class Found:
    is_quoted: bool
    is_first: bool  # of the quotes
    is_read: bool
    absent: int  # questions about other needles
    refused: int  # of these: nothing was found


def measure() -> list[Figure]:
    if not NEEDLES.exists():
        print("  left out: the evaluation data is not here", file=sys.stderr)
        return []
    rows = [json.loads(line) for line in NEEDLES.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as folder, service_over(folder):
        found = list(_found([row for row in rows if row["length_chars"] <= LONGEST], rows))
    count = len(found)
    asked = sum(each.absent for each in found)
    return [
        Figure("needles: quoted", 100 * sum(each.is_quoted for each in found) / count, "%", ">= 99"),
        Figure("needles: quoted first", 100 * sum(each.is_first for each in found) / count, "%"),
        Figure("needles: read by the plan", 100 * sum(each.is_read for each in found) / count, "%", ">= 99"),
        Figure("needles: absent and said so", 100 * sum(each.refused for each in found) / asked, "%"),
        Figure("needles: haystacks", count, "documents"),
    ]


def _found(rows: Sequence[dict[str, Any]], everything: Sequence[dict[str, Any]]) -> Iterator[Found]:
    questions = {row["question"]: row["needle"].strip() for row in everything}
    for row in rows:
        scope, version = _haystack(row["id"], _text(row))
        quoted, read = _asked(scope, version, row["question"])
        others = [question for question, needle in questions.items() if needle not in _text(row)]
        refused = sum(not _asked(scope, version, question)[0] for question in others)
        needle = row["needle"].strip()
        is_quoted = any(needle in quote for quote in quoted)
        yield Found(is_quoted, bool(quoted) and needle in quoted[0], needle in read, len(others), refused)
        print(f"  {row['id']}: {'quoted' if is_quoted else 'NOT quoted'}", flush=True)


def _asked(scope: Any, version: Any, question: str) -> tuple[list[str], str]:
    """The quotes, best first, and what the plan reads, joined."""
    from django.conf import settings

    from knowledge import generations, quotes, reading, search

    passages = [row.passage for row in search.retrieve(scope, question, RESULTS)]
    quoted = [quote.text for quote in quotes.best(generations.current(), question, passages)]
    plan = reading.Shelf(passages).plan(settings.CONTEXT_TOKENS)
    text = version.text()
    parts = [text] if plan.full else [text[part.start : part.end] for part in plan.passages]
    return quoted, "\n".join(parts)


def _haystack(name: str, text: str) -> tuple[Any, Any]:
    """A matter with this text as its one document, taken in as an upload is."""
    from django.contrib.auth.models import User

    from ingestion import pipeline
    from knowledge import access, documents, matters

    user = User.objects.create_user(name)
    matter = matters.create(name, user)
    added = documents.add(matter, "agreement.txt", [text.encode()], None)
    if added.version.job is not None:
        pipeline.run(added.version.job.pk)
    return access.scope_for(user, matter), matter.documents.get().current


def _text(row: dict[str, Any]) -> str:
    files = [_read(DATA / path) for path in row["haystack_files"]]
    text = row["join"].join(files)[: row["cut_chars"]]
    return text[: row["insert_at"]] + row["needle"] + text[row["insert_at"] :]


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()
