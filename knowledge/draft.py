"""An answer while it is written: what the model said so far, each completed sentence checked at once.

Everything needed is in memory; the database is not touched while the model talks.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from inference.generator import Usage
from knowledge import sentences
from knowledge.answers import citation
from knowledge.citations import MARKER, Checker, Read, Support, without_markers
from knowledge.conversation import Conversation
from knowledge.models import Answer, Citation
from knowledge.pins import Pin

MARKERS = re.compile(rf"(?:{MARKER.pattern})*")
# The model says, as it was told to, that it found no answer: no claim, so no citation is missed.
SILENT = re.compile(r"the sources do not (?:say|answer|state|mention|provide|contain)\b", re.IGNORECASE)
NUMBER = re.compile(r"\d+(?:st|nd|rd|th)?")
# Characters; words; how often they stand one after the other; letters in all, for "2, 3, 4, 5" is a list.
LOOKED_BACK, LONGEST_ROUND, ROUNDS, LEAST_LETTERS = 600, 8, 4, 30
# The numbers of sources at the end of a text, the last of them perhaps unfinished.
CUT_MARKER = re.compile(rf"(?:{MARKER.pattern})*\s*(?:\[[\d,;\s]*)?$")
OPEN_MARKER = re.compile(r"\[[\d,;\s]*$")


@dataclass(frozen=True)
class Event:
    """One step of the stream: "text", "sentence", "problem", "busy" or "done", with its data.

    A problem has its `reason`, and `retry_after`: whole seconds, None where waiting will not help.
    """

    kind: str
    data: dict[str, Any]


class Draft:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.prompt = Conversation(answer)
        self.cited: list[Citation] = list(self.prompt.keys[answer.pk])
        self.new_citations: list[Citation] = []
        # [{"text", "citations": [numbers], "verbatim", "problem": what is wrong, "silent": no claim}, …]
        self.written: list[dict[str, Any]] = []
        self.said = ""
        self.usage = Usage()
        self.is_cut = False  # it came to the limit of its tokens before its end
        self.seconds_to_first_token: float | None = None
        # The key sentences were in the prompt too, whether or not the plan had room for what is around them.
        keys = [Read(row.version_id, row.start, row.quote) for row in self.cited]
        self._checker = Checker(self.prompt.reads, likely=keys, question=answer.question)
        self._checked = 0  # sentences of what was said
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def is_over(self) -> bool:
        """Whether nothing good comes any more: small models go round, or leave the sources and stay away."""
        return self._is_going_round or self._is_stuck or self._has_left_the_sources

    def add(self, piece: str) -> Iterator[Event]:
        """Take in what the model just said; a sentence that is complete now is checked."""
        if self.seconds_to_first_token is None:
            self.seconds_to_first_token = self.seconds
        self.said += piece
        yield Event("text", {"text": piece})
        if not OPEN_MARKER.search(self.said):  # the number may belong to the sentence before it
            yield from self._check(sentences.split(self.said)[:-1])

    def finish(self) -> Iterator[Event]:
        """Check what is left; the model has said its last word. Of a repeated sentence the first is kept.

        Half a sentence, where the text was cut off, is shown as that: it is no claim, and not checked.
        """
        if self._is_going_round:
            self.written = _each_once(self.written)
        elif not self._has_left_the_sources:
            self.is_cut = self.usage.is_cut and not self._is_stuck
            said, half = sentences.whole(CUT_MARKER.sub("", self.said)) if self.is_cut else (self.said, "")
            complete = sentences.split(said)
            yield from self._check(complete[:-1] if self._is_stuck else complete)
            yield from self._show(without_markers(half).strip())

    def _show(self, half: str) -> Iterator[Event]:
        if half:
            row: dict[str, Any] = {
                "text": half,
                "citations": [],
                "problem": "",
                "verbatim": False,
                "cut": True,
            }
            self.written.append(row)
            yield Event("sentence", row)

    @property
    def _is_going_round(self) -> bool:
        said = [_bare(sentence["text"]) for sentence in self.written]
        return len(said) != len(set(said))

    @property
    def _is_stuck(self) -> bool:
        """Whether the sentence under way says the same few words over and over, numbers apart."""
        words = NUMBER.sub("0", self.said[-LOOKED_BACK:]).split()
        return any(_is_round(words, length) for length in range(1, LONGEST_ROUND + 1))

    @property
    def _has_left_the_sources(self) -> bool:
        last = self.written[-settings.UNSUPPORTED_SENTENCES :]
        return len(last) == settings.UNSUPPORTED_SENTENCES and not any(row["citations"] for row in last)

    def _check(self, complete: list[sentences.Span]) -> Iterator[Event]:
        for span in complete[self._checked :]:
            self._checked += 1
            behind = MARKERS.match(self.said, span.end)
            finding = self._checker.check(span.of(self.said) + (behind.group() if behind else ""))
            if not finding.text:  # only the number of a source, behind the full stop
                continue
            numbers = self._cite(finding.support)
            row: dict[str, Any] = {"text": finding.text, "citations": numbers, "problem": finding.problem}
            row["verbatim"] = bool(numbers) and finding.support is not None and finding.support.is_verbatim
            row["silent"] = not numbers and bool(SILENT.match(finding.text))
            self.written.append(row)
            shown = [told(cited) for cited in self.cited if cited.number in numbers]
            yield Event("sentence", {**row, "citations": shown})

    def _cite(self, support: Support | None) -> list[int]:
        """The number of the citation that carries a claim; none if it does not check out."""
        if support is None:
            return []
        pin = self.prompt.texts.pin(support.version_id, support.start, support.end, support.quote)
        return [self._number(pin, support.score)] if pin else []

    def _number(self, pin: Pin, score: float) -> int:
        """The number of this pin cite; the same place has one number throughout the answer."""
        for row in self.cited:
            if (row.version_id, row.start, row.end) == (pin.version_id, pin.start, pin.end):
                return row.number
        row = citation(self.answer, len(self.cited) + 1, pin, Citation.Origin.TEXT, score)
        row.version = self.prompt.versions[pin.version_id]
        self.cited.append(row)
        self.new_citations.append(row)
        return row.number


def _each_once(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Up to the first sentence that was said before."""
    said: set[str] = set()
    for place, sentence in enumerate(written):
        if _bare(sentence["text"]) in said:
            return written[:place]
        said.add(_bare(sentence["text"]))
    return written


def _is_round(words: Sequence[str], length: int) -> bool:
    """Whether the last words are the same `length` words in turn."""
    last = words[-length * ROUNDS :]
    letters = sum(char.isalpha() for char in "".join(last))
    return list(last[-length:]) * ROUNDS == last and letters >= LEAST_LETTERS


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
