"""Search in process as passages grow: the whole call, from the scope to the rows of the results.

Texts and vectors are made up (bench/words.py), so that nothing of them has to be embedded; the questions are.
The same matter grows through all sizes; docs/growth.svg shows how time, memory and disk go with them.

With `PINCITE_BENCH_KEEP=FOLDER` the matter stays there, and the next call goes on where this one ended.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psutil

from bench import growth
from bench.figure import Figure
from bench.serving import environment, serving
from bench.words import Speaker

SIZES = [int(size) for size in os.environ.get("PINCITE_BENCH_PASSAGES", "20000 50000 100000 200000").split()]
GOAL_AT = 100_000  # the goals are for so many passages and fewer
PER_DOCUMENT, DOCUMENTS_AT_ONCE = 100, 10
QUERIES = 80
WARM = 200  # questions before the first that counts: what a process touches for the first time is slow


@dataclass
class Filling:
    """A matter that grows; `seconds` is what its index took for the passages `written` now."""

    matter: Any
    generation: Any
    index: Any
    random: np.random.Generator
    speaker: Speaker
    centres: np.ndarray
    documents: int = 0
    written: int = 0
    seconds: float = 0.0


def measure() -> list[Figure]:
    with _directory() as directory:
        os.environ["PINCITE_DATA_DIR"] = str(directory)
        os.environ["DJANGO_SETTINGS_MODULE"] = "knowledge.settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        return _measure(directory)


@contextmanager
def _directory() -> Iterator[Path]:
    if kept := os.environ.get("PINCITE_BENCH_KEEP"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory:
        yield Path(directory)


def _measure(directory: Path) -> list[Figure]:
    from django.contrib.auth.models import User

    from knowledge import engines, matters
    from knowledge.models import Matter

    person, _ = User.objects.get_or_create(username="bench")
    filling = _begin(Matter.objects.first() or matters.create("Bench", person))
    sizes = [size for size in SIZES if size >= filling.documents * PER_DOCUMENT]
    points = [_at(size, filling, person, directory) for size in sizes]
    engines.close()  # the service opens the index next
    growth.draw(_known(points, directory))
    written = [
        Figure("index: points written, graph built", filling.written / filling.seconds, "points/s")
    ] * bool(filling.written)
    figures = (figure for point in points for figure in _figures(point))
    return [*figures, _over_http(filling, directory), *written]


def _over_http(filling: Filling, directory: Path) -> Figure:
    """The service on the same data, one question after the other."""
    from django.contrib.auth.models import User

    from knowledge.models import Membership

    with serving(environment(directory)) as service, service.client as client:
        Membership.objects.get_or_create(matter=filling.matter, user=User.objects.get(username="admin"))
        address = f"/matters/{filling.matter.pk}/search"

        def ask(query: str) -> None:
            client.get(address, params={"q": query}).raise_for_status()

        for place in range(WARM):
            ask(_question(place, filling))
        queries = [_question(place, filling) for place in range(QUERIES)]
        times = [1000 * _seconds(lambda query=query: ask(query)) for query in queries]
    passages = filling.documents * PER_DOCUMENT
    p95, goal = statistics.quantiles(times, n=20)[-1], "<= 60" if passages <= GOAL_AT else ""
    return Figure(f"search: {passages:,} passages, over HTTP, p95", p95, "ms", goal)


def _known(points: list[growth.Point], directory: Path) -> list[growth.Point]:
    """Those of earlier calls in this directory too, by size."""
    file = directory / "points.json"
    kept = [growth.Point(**row) for row in json.loads(file.read_text())] if file.exists() else []
    known = sorted({point.passages: point for point in [*kept, *points]}.values(), key=lambda p: p.passages)
    file.write_text(json.dumps([asdict(point) for point in known]))
    return known


def _figures(point: growth.Point) -> list[Figure]:
    name, has_goal = f"search: {point.passages:,} passages", point.passages <= GOAL_AT
    ratio = point.median / point.embedding
    against = f"{name}, median, against embedding the query alone"
    return [
        Figure(f"{name}, p95", point.p95, "ms", "<= 15" if has_goal else ""),
        Figure(against, point.median, "ms", "<= 1.5" if has_goal else "", point.embedding, ratio),
        Figure(f"{name}, memory", point.memory, "MB"),
        Figure(f"{name}, disk, index and database", point.disk, "MB"),
    ]


def _at(size: int, filling: Filling, person: Any, directory: Path) -> growth.Point:
    """Fills up to this size and asks; in turns with the embedding alone, so that other load falls on both."""
    from knowledge import access, engines, search

    def ask(query: str) -> None:
        search.retrieve(access.scope_for(person, filling.matter), query)

    while filling.documents * PER_DOCUMENT < size:
        _fill(filling)
    filling.seconds += _seconds(filling.index.build)
    filling.index.warm()  # as the service does when it starts
    embed = engines.embedder().embed_query
    queries = [_question(place, filling) for place in range(QUERIES)]
    for place in range(WARM):
        ask(_question(place, filling))
    whole, alone = [], []
    for query in queries:
        alone.append(1000 * _seconds(lambda query=query: embed(query)))
        whole.append(1000 * _seconds(lambda query=query: ask(query)))
    return growth.Point(
        passages=size,
        median=statistics.median(whole),
        p95=statistics.quantiles(whole, n=20)[-1],
        embedding=statistics.median(alone),
        memory=psutil.Process().memory_info().rss / 1e6,
        disk=sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6,
    )


def _question(place: int, filling: Filling) -> str:
    """Every other one names a document, and is answered from it first."""
    words = filling.speaker.question()
    return f"Consider the {_name(place * 7 % filling.documents)}; {words}" if place % 2 else words


def _name(document: int) -> str:
    return f"Supply Agreement between Quill{document} Inc and Brack{document % 97} Ltd"


def _begin(matter: Any) -> Filling:
    from knowledge import generations
    from knowledge.models import Document

    generation, documents = generations.current(), Document.objects.count()
    centres = np.random.default_rng(1).normal(size=(50, generation.dimensions))
    random = np.random.default_rng([2, documents])
    index = generations.index(generation)
    return Filling(matter, generation, index, random, Speaker(random), centres, documents)


def _fill(filling: Filling) -> None:
    """Some more documents, as rows and as points: complete, so that a service finds nothing to do."""
    from django.db import transaction

    from knowledge.models import Passage

    with transaction.atomic():
        versions = [_document(filling) for _ in range(DOCUMENTS_AT_ONCE)]
        rows = [_passage(version.pk, filling, place) for version in versions for place in range(PER_DOCUMENT)]
        Passage.objects.bulk_create(rows, batch_size=1_000)
    documents = {version.pk: version.document for version in versions}
    points = [_point(row, documents[row.version_id], filling) for row in rows]
    filling.seconds += _seconds(lambda: filling.index.upsert(points))
    filling.written += len(points)


def _document(filling: Filling) -> Any:
    from knowledge import reconcile, wordings
    from knowledge.models import Document, Indexed, Page, Version

    document = Document.objects.create(matter=filling.matter, path=f"{_name(filling.documents)}.txt")
    state = {"state": Version.State.PARTIAL, "note": reconcile.LOST, "kind": "text"}
    version = Version.objects.create(document=document, number=1, sha256="0" * 64, size=1, **state)
    Document.objects.filter(pk=document.pk).update(current=version)
    Page.objects.create(version=version, number=1, label="1", kind="text", start=0, text="")
    wordings.keep(version)
    Indexed.objects.create(version=version, generation=filling.generation)
    filling.documents += 1
    return version


def _passage(version_id: UUID, filling: Filling, place: int) -> Any:
    from knowledge.models import Passage

    text = filling.speaker.passage()
    where = {"start": place * 500, "end": place * 500 + len(text), "page_first": 1, "page_last": 1}
    return Passage(id=uuid4(), version_id=version_id, generation_id=filling.generation.pk, text=text, **where)


def _point(row: Any, document: Any, filling: Filling) -> Any:
    from knowledge.index import Point

    return Point(
        id=row.pk,
        dense=_vector(filling.centres, filling.random),
        text=row.text,
        matter_id=filling.matter.pk,
        document_id=document.pk,
        version_id=row.version_id,
        start=row.start,
        end=row.end,
        names="" if row.start else document.path,
    )


def _vector(centres: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Near one of the centres, as the passages of real documents are; of length 1."""
    vector = centres[random.integers(len(centres))] + random.normal(size=centres.shape[1]) * 0.5
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(*measure(), sep="\n")
