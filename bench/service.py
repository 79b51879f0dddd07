"""The running service, measured from outside: start, ingest, search, ask, memory."""

import statistics
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from bench.figure import Figure
from bench.serving import environment, serving

QUESTIONS = 5
SCAN = "ostrevane-letter.pdf"  # read by OCR, which is another figure


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory:
        surroundings = environment(Path(directory))
        with serving(surroundings) as service, service.client as client:
            warm_up(client, new_matter(client))
        # The second start is measured: the first one ever prepares the weights and the tables.
        with serving(surroundings) as service, service.client as client:
            matter = new_matter(client)
            warm_up(client, matter)
            return [
                Figure("serve: start to first page", service.seconds_to_first_page, "s", "<= 15"),
                *ingest(client, matter),
                *ask(client, matter),
                Figure(
                    "serve: resident memory, both models loaded", resident(service.process), "GB", "<= 2.5"
                ),
            ]


def new_matter(client: httpx.Client) -> str:
    return str(client.post("/matters", json={"name": "Bench"}).json()["id"])


def warm_up(client: httpx.Client, matter: str) -> None:
    """Both models loaded before anything is timed."""
    client.post(f"/matters/{matter}/documents", files={"file": ("warm.txt", b"The pump is warm now.")})
    settle(client, matter)
    client.post(f"/matters/{matter}/ask", json={"question": "Is the pump warm now?"}).raise_for_status()


def settle(client: httpx.Client, matter: str) -> None:
    working = {"waiting", "processing"}
    while any(row["state"] in working for row in client.get(f"/matters/{matter}/documents").json()):
        time.sleep(0.2)


def ingest(client: httpx.Client, matter: str) -> list[Figure]:
    """The demo case file without its scan, in copies, from the first upload to the last one searchable."""
    from knowledge.demo import FILES

    files = [path for path in sorted(FILES.iterdir()) if path.name != SCAN]
    started = time.monotonic()
    for copy in range(3):
        for path in files:
            name = f"copy {copy}/{path.name}"
            upload = {"file": (path.name, path.read_bytes())}
            client.post(f"/matters/{matter}/documents", files=upload, data={"path": name}).raise_for_status()
    settle(client, matter)
    seconds = time.monotonic() - started
    chunks = client.get(f"/matters/{matter}").json()["passages"]
    return [Figure("ingest: chunks end to end", chunks / seconds, "chunks/s", ">= 20")]


def ask(client: httpx.Client, matter: str) -> list[Figure]:
    from knowledge.demo import questions

    asked = [question for question in questions() if question.kind == "answerable"][:QUESTIONS]
    first = [first_token(client, matter, question.question) for question in asked]
    searched = [search_seconds(client, matter, question.question) for question in asked * 6]
    return [
        Figure("ask: first streamed token, median", statistics.median(first), "s", "<= 5"),
        Figure("ask: first streamed token, worst", max(first), "s"),
        Figure("search: over HTTP, p95", 1000 * statistics.quantiles(searched, n=20)[-1], "ms", "<= 60"),
    ]


def first_token(client: httpx.Client, matter: str, question: str) -> float:
    """Seconds from sending the question to the first piece of generated text."""
    started = time.monotonic()
    headers = {"Accept": "text/event-stream"}
    with client.stream(
        "POST", f"/matters/{matter}/ask", json={"question": question}, headers=headers
    ) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: text"):
                return time.monotonic() - started
    return float("nan")


def search_seconds(client: httpx.Client, matter: str, query: str) -> float:
    started = time.monotonic()
    client.get(f"/matters/{matter}/search", params={"q": query}).raise_for_status()
    return time.monotonic() - started


def resident(process: psutil.Process) -> float:
    """Gigabytes of the service and its children (the broker)."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 1e9
