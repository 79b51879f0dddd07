"""Exact search in process over the text of 20,000 passages: the whole call, from the query to snippets.

Processor time, which other work on the machine does not lengthen much; nothing here waits.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.figure import Figure

DOCUMENTS = 200
PAGES = 27  # of a document; its text is as long as that of 100 passages of 800 characters
PAGE_WORDS = 450
VOCABULARY = 30_000
ROUNDS = 3
FORMS = (
    '"{0} {1}"',
    "{0} AND {1} AND NOT {2}",
    "{0} OR {1} OR {2}",
    "{0} /5 {1}",
    "{0} /s {1}",
    "({0} OR {1}) /p {2}",
    "{3}*",
    '"{0} {1}" type:pdf date:2019..2021',
)


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
    from knowledge import access, lookup

    person, matter, seconds = _fill()
    scope = access.scope_for(person, matter)
    lookup.find(scope, '"warm"')
    times: list[float] = []
    slowest: dict[str, float] = {}
    for _ in range(ROUNDS):
        for form, query in _queries():
            started = time.process_time()
            lookup.find(scope, query)
            times.append(1000 * (time.process_time() - started))
            slowest[form] = max(slowest.get(form, 0), times[-1])
    for form, milliseconds in slowest.items():
        print(f"  {form}: {milliseconds:.0f} ms at most")
    characters = DOCUMENTS * PAGES * PAGE_WORDS * 6.6 / 1e6
    p95, median = statistics.quantiles(times, n=20)[-1], statistics.median(times)
    return [
        Figure("exact: text of 20,000 passages, processor time, p95", p95, "ms", "<= 150"),
        Figure("exact: text of 20,000 passages, processor time, median", median, "ms"),
        Figure("exact: words kept at ingestion", characters / seconds, "million characters/s"),
    ]


def _words(random: np.random.Generator) -> list[str]:
    """Words of the lengths of English ones, the first the most frequent."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(random.choice(letters, 2 + length)) for length in random.poisson(3.6, VOCABULARY)]


def _queries() -> Iterator[tuple[str, str]]:
    """Each form with frequent words, with others, and with rare ones."""
    words = _words(np.random.default_rng(1))
    random = np.random.default_rng(2)
    for form in FORMS:
        for frequent in (10, 100, 1_000, 10_000):
            three = [words[place] for place in random.integers(frequent // 2, frequent * 2, 3)]
            yield form, form.format(*three, three[0][:3].ljust(2, "a"))


def _fill() -> Any:
    """A person, their matter of long documents, and the seconds that keeping the words took."""
    from datetime import UTC, datetime

    from django.contrib.auth.models import User

    from knowledge import matters, wordings
    from knowledge.models import Document, Page, Version

    person = User.objects.create_user(f"bench-{time.time()}")
    matter = matters.create("Bench", person)
    random = np.random.default_rng(1)
    words = np.array(_words(random))
    seconds = 0.0
    for number in range(DOCUMENTS):
        document = Document.objects.create(matter=matter, path=f"document {number}.txt")
        date = datetime(2015 + number % 10, 1, 1, tzinfo=UTC)
        more = {"sha256": "0" * 64, "size": 1, "kind": ("pdf", "word")[number % 2], "date": date}
        version = Version.objects.create(document=document, number=1, **more)
        Document.objects.filter(pk=document.pk).update(current=version)
        Page.objects.bulk_create(_pages(version, words, random))
        started = time.process_time()
        wordings.keep(version)
        seconds += time.process_time() - started
    return person, matter, seconds


def _pages(version: Any, words: np.ndarray, random: np.random.Generator) -> Iterator[Any]:
    """Zipf's law for the words, a full stop after each twentieth, an empty line after each eightieth."""
    from knowledge.models import Page

    start = 0
    for number in range(1, PAGES + 1):
        places = np.minimum(random.zipf(1.2, PAGE_WORDS), VOCABULARY) - 1
        said = list(words[places])
        said[19::20] = [f"{word}." for word in said[19::20]]
        said[79::80] = [f"{word}\n\nThe" for word in said[79::80]]
        text = " ".join(said) + "\n"
        yield Page(version=version, number=number, label=str(number), kind="text", start=start, text=text)
        start += len(text)


if __name__ == "__main__":
    print(*measure(), sep="\n")
