"""An answer while it is written: what the model said so far, each completed sentence checked at once.

Everything needed is in memory; the database is not touched while the model talks.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from knowledge import prompts, sentences
from knowledge.answers import citation
from knowledge.citations import Checker, Read, without_markers
from knowledge.models import Answer, Citation, Evidence
from knowledge.pins import Pin, Texts, at


@dataclass(frozen=True)
class Event:
    """One step of the stream: "text", "sentence", "problem", "busy" or "done", with its data."""

    kind: str
    data: dict[str, Any]


class Draft:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.evidence: list[Evidence] = list(answer.evidence.select_related("version__document"))
        self.cited: list[Citation] = list(
            answer.citations.filter(origin=Citation.Origin.KEY).select_related("version__document")
        )
        self.new_citations: list[Citation] = []
        self.written: list[dict[str, Any]] = []  # [{"text": sentence, "citations": [numbers]}, …]
        self.seconds_to_first_token: float | None = None
        self._versions = {row.version_id: row.version for row in self.evidence}
        self._versions |= {row.version_id: row.version for row in self.cited}
        self._texts = Texts(set(self._versions))
        # The key sentences were in the prompt too, whether or not the plan had room for what is around them.
        keys = [Read(0, row.version_id, row.start, row.quote) for row in self.cited]
        self._checker = Checker([*(self._read(row) for row in self.evidence), *keys])
        self._text = ""
        self._checked = 0  # sentences of it
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def sources(self) -> list[prompts.Source]:
        return [prompts.Source(row.number, self._title(row), self._read(row).text) for row in self.evidence]

    def key_sentences(self) -> list[str]:
        return [row.quote for row in self.cited if row.origin == Citation.Origin.KEY]

    @property
    def is_over(self) -> bool:
        """Whether nothing good comes any more: small models go round, or leave the sources and stay away."""
        return self._is_going_round or self._has_left_the_sources

    def add(self, piece: str) -> Iterator[Event]:
        """Take in what the model just said; a sentence that is complete now is checked."""
        if self.seconds_to_first_token is None:
            self.seconds_to_first_token = self.seconds
        self._text += piece
        yield Event("text", {"text": piece})
        yield from self._check(sentences.split(self._text)[:-1])

    def finish(self) -> Iterator[Event]:
        """Check what is left; the model has said its last word. Of a repeated sentence the first is kept."""
        if self._is_going_round:
            self.written = _each_once(self.written)
        elif not self._has_left_the_sources:
            yield from self._check(sentences.split(self._text))

    @property
    def _is_going_round(self) -> bool:
        said = [_bare(sentence["text"]) for sentence in self.written]
        return len(said) != len(set(said))

    @property
    def _has_left_the_sources(self) -> bool:
        last = self.written[-settings.UNSUPPORTED_SENTENCES :]
        return len(last) == settings.UNSUPPORTED_SENTENCES and not any(row["citations"] for row in last)

    def _check(self, complete: list[sentences.Span]) -> Iterator[Event]:
        for span in complete[self._checked :]:
            self._checked += 1
            claim = span.of(self._text)
            text = without_markers(claim)
            if not text:  # only the number of a source, behind the full stop
                continue
            numbers = self._cite(claim)
            self.written.append({"text": text, "citations": numbers})
            shown = [told(row) for row in self.cited if row.number in numbers]
            yield Event("sentence", {"text": text, "citations": shown})

    def _cite(self, claim: str) -> list[int]:
        """The numbers of the citations that carry this claim; none if it does not check out."""
        support = self._checker.support(claim)
        if support is None:
            return []
        pin = self._texts.pin(support.version_id, support.start, support.end, support.quote)
        return [self._number(pin, support.score)] if pin else []

    def _number(self, pin: Pin, score: float) -> int:
        """The number of this pin cite; the same place has one number throughout the answer."""
        for row in self.cited:
            if (row.version_id, row.start, row.end) == (pin.version_id, pin.start, pin.end):
                return row.number
        row = citation(self.answer, len(self.cited) + 1, pin, Citation.Origin.TEXT, score)
        row.version = self._versions[pin.version_id]
        self.cited.append(row)
        self.new_citations.append(row)
        return row.number

    def _read(self, row: Evidence) -> Read:
        return Read(
            row.number, row.version_id, row.start, self._texts.slice(row.version_id, row.start, row.end)
        )

    def _title(self, row: Evidence) -> str:
        path = row.version.document.path
        if row.kind == Evidence.Kind.FULL:
            return path
        return f"{path}, {at(self._texts.label(row.version_id, row.start))}"


def _each_once(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Up to the first sentence that was said before."""
    said: set[str] = set()
    for place, sentence in enumerate(written):
        if _bare(sentence["text"]) in said:
            return written[:place]
        said.add(_bare(sentence["text"]))
    return written


def _bare(text: str) -> str:
    """A sentence without its number in a list and its white space."""
    return " ".join(text.lstrip("0123456789.)-• \t").split())


def told(row: Citation) -> dict[str, Any]:
    """A citation as the streams show it."""
    return {
        "number": row.number,
        "document_id": str(row.version.document_id),
        "version_id": str(row.version_id),
        "document": row.version.document.path,
        "page": row.page,
        "page_label": row.page_label,
        "start": row.start,
        "end": row.end,
        "quote": row.quote,
    }
