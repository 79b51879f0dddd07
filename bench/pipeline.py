"""The pipeline from upload to searchable, beside its parser and its embedder alone on the same files.

The embedded service (broker, worker, scheduler) runs in this process, over a data directory of its own. The
files are made here. PINCITE_BENCH_PARTS names the parts to measure; PINCITE_BENCH_DOCUMENTS the sizes that a
matter of small documents grows through.
"""

import io
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from bench.figure import Figure

FILES, CLAUSES = 12, 120  # born-digital PDFs, and numbered clauses in each
SCANNED = 4  # pages
LOOK_SECONDS = 0.05
SIZES = [int(size) for size in os.environ.get("PINCITE_BENCH_DOCUMENTS", "100 1000 10000").split()]
Texts = dict[str, bytes]


def measure() -> list[Figure]:
    wanted = os.environ.get("PINCITE_BENCH_PARTS", "").split() or list(PARTS)
    figures = []
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory, _service(directory):
        _ingest(_matter("Warm"), {"warm.txt": b"The pump is warm now."})
        for part in wanted:
            for figure in PARTS[part](Path(directory)):
                print(
                    f"  {figure.name}: {figure.value:.4g} {figure.unit} {figure.ratio or 0:.3g}", flush=True
                )
                figures.append(figure)
    return figures


def digital(directory: Path) -> Iterator[Figure]:
    """Born-digital PDFs, then the same again, then one of them with one clause changed."""
    from knowledge.models import Passage

    matter = _matter("Digital")
    files = {f"{number}.pdf": _pdf(_clauses(CLAUSES, number)) for number in range(FILES)}
    whole = _ingest(matter, files)
    texts = list(Passage.objects.filter(version__document__matter=matter).values_list("text", flat=True))
    pages = sum(row.current.pages.count() for row in matter.documents.select_related("current"))
    parser, embedder = _parser_alone(directory, files), _embedder_alone(texts)
    yield Figure(
        "pipeline: whole, against embedding alone", whole, "s", "<= 1.15", embedder, whole / embedder
    )
    yield Figure(
        "pipeline: chunks embedded end to end", len(texts) / whole, "chunks/s", "", len(texts) / embedder
    )
    yield _pages("PDF, against the parser alone", pages, whole, parser)
    yield _pages("PDF, against the embedder alone", pages, whole, embedder)
    again = _ingest(matter, files)
    yield Figure("pipeline: unchanged files again", again, "s", ">= 100", whole, whole / again)
    yield Figure("pipeline: passages embedded after a one-clause edit", _edited(matter), "passages", "<= 3")


def scans(_: Path) -> Iterator[Figure]:
    """A PDF of pictures, against the OCR engine on the same pictures."""
    from rapidocr import RapidOCR

    pictures = _pictures(_pdf(_clauses(CLAUSES, 1000)))[:SCANNED]
    whole = _ingest(_matter("Scans"), {"scan.pdf": _scan(pictures)})
    engine: Any = RapidOCR(params={"Global.log_level": "error"})
    engine(pictures[0].crop((0, 0, 400, 200)))
    alone = _seconds(lambda: [engine(picture) for picture in pictures])
    yield _pages("OCR, against the engine alone", len(pictures), whole, alone)


def many(_: Path) -> Iterator[Figure]:
    """A matter of small documents that grows: what one more costs, and the memory of this process."""
    matter, number = _matter("Many"), 0
    first: tuple[float, float] | None = None
    for size in SIZES:
        files = {f"{number}.txt": _clauses(1, 5000 + number).encode() for number in range(number, size)}
        each = 1000 * _ingest(matter, files) / len(files)
        memory = _memory()
        number = size
        first = first or (each, memory)
        yield _grown(f"pipeline: one more small document, up to {size:,}", each, "ms", first[0])
        yield _grown(f"pipeline: memory held at {size:,} documents", memory, "MB", first[1])


def _grown(name: str, value: float, unit: str, first: float) -> Figure:
    return Figure(name, value, unit, "<= 1.1", first, value / first)


@contextmanager
def _service(directory: str) -> Iterator[None]:
    from bench.reading import service_over

    with service_over(directory):
        from ingestion import service

        with service.running():
            yield


def _matter(name: str) -> Any:
    from django.contrib.auth.models import User

    from knowledge import matters

    return matters.create(name, User.objects.get_or_create(username="bench")[0])


def _ingest(matter: Any, files: Texts) -> float:
    """Seconds from the first file to the last one searchable."""
    from knowledge import documents
    from knowledge.models import Version

    def work() -> None:
        for name, content in files.items():
            documents.add(matter, name, [content], None)
        while documents.unsettled(matter):
            time.sleep(LOOK_SECONDS * max(1.0, len(files) / 100))  # looking takes longer with many

    taken = _seconds(work)
    states = set(Version.objects.filter(document__matter=matter).values_list("state", flat=True))
    if states != {Version.State.SEARCHABLE}:
        raise RuntimeError(f"Not everything is searchable: {states}")
    return taken


def _edited(matter: Any) -> float:
    """How many texts the embedder is given for a document of which one clause was changed."""
    text = _clauses(CLAUSES, 2000)
    _ingest(matter, {"edited.txt": text.encode()})
    lines = text.split("\n")
    lines[CLAUSES // 2] += " The carrier alone bears what the change of this clause costs."
    with _embedded() as texts:
        _ingest(matter, {"edited.txt": "\n".join(lines).encode()})
    return len(texts)


@contextmanager
def _embedded() -> Iterator[list[str]]:
    """The texts of passages that the embedder of the current index is given meanwhile."""
    from knowledge import generations

    embedder: Any = generations.embedder(generations.current())
    embed = embedder.embed_passages
    given: list[str] = []

    def counted(texts: Sequence[str]) -> Any:
        given.extend(texts)
        return embed(texts)

    embedder.embed_passages = counted
    try:
        yield given
    finally:
        del embedder.embed_passages


def _parser_alone(directory: Path, files: Texts) -> float:
    from ingestion.parse import parse
    from ingestion.parse.parsed import File

    for name, content in files.items():
        (directory / name).write_bytes(content)
    return _seconds(lambda: [parse(File(directory / name, name, "later")) for name in files])


def _embedder_alone(texts: Sequence[str]) -> float:
    from ingestion.indexing import EMBED_AT_ONCE
    from knowledge import generations

    embedder = generations.embedder(generations.current())
    longest = sorted(texts, key=lambda text: -len(text))
    starts = range(0, len(longest), EMBED_AT_ONCE)
    return _seconds(lambda: [embedder.embed_passages(longest[at : at + EMBED_AT_ONCE]) for at in starts])


def _pages(name: str, pages: int, whole: float, alone: float) -> Figure:
    return Figure(f"pipeline: {name}", pages / whole, "pages/s", "", pages / alone, alone / whole)


def _memory() -> float:
    """Megabytes that this process holds for itself: without the files of the index, which it maps."""
    held = psutil.Process().memory_info()
    return float(held.rss - getattr(held, "shared", 0)) / 1e6


@cache
def _sentences() -> list[str]:
    from knowledge.demo import FILES as DEMO

    text = " ".join(path.read_text() for path in sorted((DEMO.parent / "text").glob("*.txt")))
    return [each for each in re.split(r"(?<=[a-z]\.)\s+", " ".join(text.split())) if 40 < len(each) < 200]


def _clauses(count: int, seed: int) -> str:
    """So many numbered clauses, each of sentences of the demo case file and with a number of its own."""
    chance = random.Random(seed)  # noqa: S311
    return "\n".join(
        f"{place}. {' '.join(chance.sample(_sentences(), 3))} File {seed}/{chance.randrange(10**6)}."
        for place in range(1, count + 1)
    )


def _pdf(text: str) -> bytes:
    from fpdf import FPDF

    made = FPDF()
    made.add_page()
    made.set_font("Helvetica", size=11)
    made.multi_cell(0, 6, text.encode("latin-1", "replace").decode("latin-1"))
    return bytes(made.output())


def _pictures(pdf: bytes) -> list[Any]:
    import pypdfium2

    return [page.render(scale=200 / 72).to_pil() for page in pypdfium2.PdfDocument(pdf)]


def _scan(pictures: Sequence[Any]) -> bytes:
    made = io.BytesIO()
    pictures[0].save(made, "PDF", save_all=True, append_images=pictures[1:], resolution=200)
    return made.getvalue()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {"digital": digital, "scans": scans, "many": many}
