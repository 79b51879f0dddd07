"""Search in process over many passages: the whole call, from the question's text to results with snippets."""

import os
import statistics
import tempfile
import time
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from bench.figure import Figure

PASSAGES = int(os.environ.get("PINCITE_BENCH_PASSAGES", "100000"))
DOCUMENTS = PASSAGES // 100
QUERIES = 120
WORDS = """
    agreement party notice termination delivery payment price breach remedy supplier buyer liability
    damages confidential information warranty insurance arbitration court evidence letter invoice
    schedule annex default force majeure inspection equipment contract clause section date days
    written consent assign waiver interest
    """.split()


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory:
        os.environ["PINCITE_DATA_DIR"] = directory
        os.environ["DJANGO_SETTINGS_MODULE"] = "knowledge.settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        return _measure()


def _measure() -> list[Figure]:
    from knowledge import access, engines, search

    person, matter, upsert_seconds = _fill()
    scope = access.scope_for(person, matter)
    random = np.random.default_rng(2)
    queries = [" ".join(random.choice(WORDS, 6)) for _ in range(QUERIES)]
    engines.embedder().embed_query("warm")
    search.retrieve(scope, queries[0])
    whole, embedding = [], []
    for query in queries:  # in turns, so that what else the machine does falls on both
        started = time.perf_counter()
        engines.embedder().embed_query(query)
        middle = time.perf_counter()
        assert search.retrieve(scope, query)
        embedding.append(middle - started)
        whole.append(time.perf_counter() - middle)
    engines.close()
    p95 = 1000 * statistics.quantiles(whole, n=20)[-1]
    median, alone = 1000 * statistics.median(whole), 1000 * statistics.median(embedding)
    return [
        Figure(f"search: {PASSAGES:,} passages, p95", p95, "ms", "<= 15"),
        Figure(
            f"search: {PASSAGES:,} passages, median, against embedding the query alone",
            median,
            "ms",
            "<= 1.5",
            alone,
            median / alone,
        ),
        Figure("index: points written", PASSAGES / upsert_seconds, "points/s"),
    ]


def _fill() -> Any:
    """A person, their matter of 20,000 passages in rows and index, and the seconds that the index took."""
    from django.contrib.auth.models import User

    from knowledge import generations, matters
    from knowledge.index import Point
    from knowledge.models import Document, Page, Passage, Version

    person = User.objects.create_user("bench")
    matter = matters.create("Bench", person)
    random = np.random.default_rng(1)
    centres = random.normal(size=(50, 384))
    seconds = 0.0
    generation = generations.current()
    index = generations.index(generation)
    for number in range(DOCUMENTS):
        document = Document.objects.create(matter=matter, path=f"document {number}.txt")
        version = Version.objects.create(document=document, number=1, sha256="0" * 64, size=1)
        Document.objects.filter(pk=document.pk).update(current=version)
        Page.objects.create(version=version, number=1, label="1", kind="text", start=0, text="")
        passages = [
            _passage(version.pk, generation.pk, place, random) for place in range(PASSAGES // DOCUMENTS)
        ]
        Passage.objects.bulk_create(passages)
        started = time.perf_counter()
        index.upsert(
            [
                Point(row.pk, _vector(centres, random), row.text, matter.pk, document.pk, version.pk)
                for row in passages
            ]
        )
        seconds += time.perf_counter() - started
    index.flush()
    return person, matter, seconds


def _passage(version_id: UUID, generation: int, place: int, random: np.random.Generator) -> Any:
    from knowledge.models import Passage

    text = " ".join(random.choice(WORDS, 110))
    where = {"start": place * 800, "end": place * 800 + len(text), "page_first": 1, "page_last": 1}
    return Passage(id=uuid4(), version_id=version_id, generation_id=generation, text=text, **where)


def _vector(centres: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Near one of the centres, as the passages of real documents are; of length 1."""
    vector = centres[random.integers(len(centres))] + random.normal(size=384) * 0.5
    return (vector / np.linalg.norm(vector)).astype(np.float32)


if __name__ == "__main__":
    print(*measure(), sep="\n")
