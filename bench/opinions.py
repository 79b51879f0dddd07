"""What the generator takes to judge documents: for a first question, and for another one about the same ones.

The smallest documents of the demo case file, as many as the default cache can hold together, each in full.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.figure import Figure
from bench.reading import demo_matter, service_over

MOST_CHARACTERS = 24_000  # of all documents together
FIRST, OTHER = "Does it speak of damages for delay?", "Which of these say who pays for an inspection?"


@dataclass(frozen=True)
class Asked:
    """One question to all documents, in sums."""

    waited: float  # seconds until the first word
    seconds: float
    tokens: int
    cached: int


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory, service_over(directory):
        return _measure()


def _measure() -> list[Figure]:
    from knowledge import engines, reading

    versions = _chosen(demo_matter())
    reading.fit(versions)  # the model is open, and lengths are counted: not of one question's time
    _asked(versions[:1], "Is it signed?")
    engines.forget_matter(versions[0].document.matter_id)
    first, other = _asked(versions, FIRST), _asked(versions, OTHER)
    name = "judging by the generator"
    return [
        Figure(f"{name}: documents", len(versions), "documents"),
        Figure(f"{name}: until the first word, first question to all", first.waited, "s"),
        Figure(f"{name}: until the first word, another question to all", other.waited, "s"),
        Figure(f"{name}: first against other, until the first word", first.waited / other.waited, "×"),
        Figure(f"{name}: first question to all, with what it wrote", first.seconds, "s"),
        Figure(f"{name}: another question to all, with what it wrote", other.seconds, "s"),
        Figure(f"{name}: of the other's tokens, read before", 100 * other.cached / other.tokens, "%"),
    ]


def _chosen(matter: Any) -> list[Any]:
    rows = matter.documents.filter(current__characters__gt=0).select_related("current__document")
    chosen: list[Any] = []
    for version in sorted((row.current for row in rows), key=lambda version: version.characters):
        if sum(each.characters for each in chosen) + version.characters <= MOST_CHARACTERS:
            chosen.append(version)
    return chosen


def _asked(versions: Sequence[Any], question: str) -> Asked:
    from knowledge import exhaustive, opinions

    said = [
        opinions.ask(version, question, [], exhaustive.passages(version.document), lambda: False)
        for version in versions
    ]
    return Asked(
        waited=sum(opinion.usage.seconds_to_first_token or 0.0 for opinion in said),
        seconds=sum(opinion.seconds for opinion in said),
        tokens=sum(opinion.usage.prompt_tokens or 0 for opinion in said),
        cached=sum(opinion.usage.cached_tokens or 0 for opinion in said),
    )
