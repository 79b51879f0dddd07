"""Reading and embedding in process, beside the libraries alone on the same files.

Processor seconds, of interleaved rounds: they hold on a machine that has other work to do too. For a query,
for which a person waits, the median of what the clock says.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figure import Figure

ROUNDS = 2
QUERIES = 60
SCAN = "ostrevane-letter.pdf"
PLUMBED = 3  # pages that the slow reader reads


def measure() -> list[Figure]:
    return [*parsing(), *embedding()]


def parsing() -> list[Figure]:
    from ingestion.parse import parse
    from ingestion.parse.parsed import File
    from knowledge.demo import FILES

    files = [path for path in sorted(FILES.glob("*.pdf")) if path.name != SCAN]
    pages = sum(bare(path) for path in files)
    ours, alone, plumber = best(
        lambda: [parse(File(path, path.name, "later")) for path in files],
        lambda: [bare(path) for path in files],
        lambda: plumbed(files[-1]),
    )
    speed, plumbing = pages / ours, PLUMBED / plumber
    return [
        figure("parse: PDF, against bare pypdfium2", speed, "pages/s", ">= 0.9", pages / alone),
        figure("parse: PDF, against pdfplumber", speed, "pages/s", ">= 60", plumbing),
    ]


def embedding() -> list[Figure]:
    from sentence_transformers import SentenceTransformer

    from inference import folder
    from inference.embedder import EmbedderConfig, open_embedder
    from inference.embedder.local import DEFAULT_PACKAGE
    from ingestion import chunks
    from ingestion.parse.parsed import Page
    from knowledge.demo import FILES

    texts = [
        piece.text
        for path in sorted((FILES.parent / "text").glob("*.txt"))
        for piece in chunks.split([Page(1, "1", path.read_text())], 800, 100)
    ][:128]
    place = folder.wheel_folder(DEFAULT_PACKAGE) / "model"
    library: Any = SentenceTransformer(str(place), device="cpu", local_files_only=True)
    embedder = open_embedder(EmbedderConfig())
    question = "When may the buyer terminate, and with what notice?"
    ours, alone = best(
        lambda: embedder.embed_passages(texts),
        lambda: library.encode(texts, show_progress_bar=False),
    )
    query = statistics.median(seconds(lambda: embedder.embed_query(question)) for _ in range(QUERIES))
    return [
        figure("embed: passages", len(texts) / ours, "chunks/s", ">= 3", len(texts) / alone),
        Figure("embed: a query, median", 1000 * query, "ms", "<= 4"),
    ]


def figure(name: str, value: float, unit: str, goal: str, baseline: float) -> Figure:
    return Figure(f"{name}, per processor", value, unit, goal, baseline, value / baseline)


def best(*deeds: Callable[[], object]) -> list[float]:
    """Processor seconds of the best of some rounds, one deed after the other in each."""
    found = [float("inf")] * len(deeds)
    for _ in range(ROUNDS):
        for place, deed in enumerate(deeds):
            started = time.process_time()
            deed()
            found[place] = min(found[place], time.process_time() - started)
    return found


def seconds(deed: Callable[[], object]) -> float:
    started = time.perf_counter()
    deed()
    return time.perf_counter() - started


def bare(path: Path) -> int:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    for page in document:
        page.get_textpage().get_text_range()
        page.close()
    return len(document)


def plumbed(path: Path) -> None:
    import pdfplumber

    with pdfplumber.open(path) as document:
        for page in document.pages[:PLUMBED]:
            page.extract_text()
