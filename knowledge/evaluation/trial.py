"""Asking the questions of a set through the service's own search: one trial for each question and mode."""

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from knowledge import choices, generations, quotes, search
from knowledge.access import Person, scope_for
from knowledge.evaluation import questions
from knowledge.evaluation.alignment import aligned
from knowledge.evaluation.metrics import Span
from knowledge.evaluation.questions import Question, QuestionSet
from knowledge.models import Document, Matter, Passage, Version
from knowledge.ranking import Weights

Ask = Callable[[str, Collection[str]], "Asked"]  # of a text, inside these files; none: inside all

RESULTS = 128  # asked for: 64 times 500 characters, also of results that are half as long


@dataclass(frozen=True)
class Asked:
    """What came back for one question; `offered`: the files to choose from, where it was asked back."""

    found: tuple[Span, ...]  # best first
    milliseconds: float  # of the search alone
    offered: tuple[str, ...] = ()
    quoted: tuple[Span, ...] = ()  # the sentences an answer would show, best first


@dataclass(frozen=True)
class Trial:
    question: Question
    mode: str
    half: str  # "tune" or "check", by the document that is asked about
    gold: tuple[Span, ...]
    asked: Asked

    @property
    def found(self) -> tuple[Span, ...]:
        return self.asked.found

    @property
    def grades(self) -> list[int]:
        """Of the files found, each at its best place."""
        return [self.question.grades.get(file, 0) for file in dict.fromkeys(span.file for span in self.found)]

    @property
    def right_files(self) -> set[str]:
        """The files with gold; where there is no answer, the one that is asked about."""
        return {span.file for span in self.gold} or {self.question.file}


class Texts:
    """The files of a set as the service read them, and where the gold stands in them."""

    def __init__(self, matter: Matter, given: QuestionSet) -> None:
        rows = Document.objects.filter(matter=matter, path__in=given.files, current__isnull=False)
        self.documents: dict[str, UUID] = dict(rows.values_list("path", "pk"))
        self._versions: dict[str, UUID] = dict(rows.values_list("path", "current"))
        self._given = given
        self._gold: dict[str, tuple[Span, ...]] = {}
        self.halves: dict[str, str] = {}
        for file in self.documents:
            self._place(file)

    def gold(self, question: Question) -> tuple[Span, ...]:
        return self._gold.get(question.id, ())

    def lost(self, given: QuestionSet) -> int:
        """How many questions have gold that was not found in what was read."""
        wanted = [question for question in given.questions if question.gold or question.words]
        return sum(not self.gold(question) for question in wanted)

    def _place(self, file: str) -> None:
        """Of all questions about this file; its text is not kept."""
        read = Version.objects.get(pk=self._versions[file]).text()
        is_plain = file not in self._given.official
        official = read if is_plain else _official(self._given.official[file], read)
        self.halves[file] = questions.half(official)
        place = aligned(official, read)
        for question in self._given.questions:
            if question.file == file:
                spans = [place(span.start, span.end) for span in question.gold]
                found = [Span(file, *span) for span in spans if span]
                self._gold[question.id] = tuple(found or _everywhere(question.words, file, read))


def trials(texts: Texts, given: QuestionSet, mode: str, ask: Ask) -> Iterator[Trial]:
    """Of every question with a wording for this mode, but those whose answer was not found in the files."""
    for question in given.questions:
        gold = texts.gold(question)
        is_lost = question.is_answerable and not gold and not question.grades
        if mode in question.texts and not is_lost:
            files = [question.file] if mode == questions.CHOSEN else question.judged
            half = texts.halves.get(question.file, questions.half(question.id))
            yield Trial(question, mode, half, gold, ask(question.texts[mode], files))


class Asker:
    """Asks as this person in this matter; `files` narrow a question to these documents."""

    def __init__(self, person: Person, matter: Matter, texts: Texts, weights: Weights) -> None:
        self._person, self._matter, self._texts, self._weights = person, matter, texts, weights

    def __call__(self, text: str, files: Collection[str]) -> Asked:
        only = [self._texts.documents[file] for file in files] or None
        scope = scope_for(self._person, self._matter, only)
        started = time.perf_counter()
        results = search.retrieve(scope, text, RESULTS, weights=self._weights)
        milliseconds = 1000 * (time.perf_counter() - started)
        passages = [result.passage for result in results]
        offered = choices.of(scope, text, passages)
        quoted = quotes.best(generations.current(), text, passages)
        return Asked(
            tuple(_span(passage, passage.start, passage.end) for passage in passages),
            milliseconds,
            tuple(document.path for document in offered),
            tuple(_span(quote.passage, quote.start, quote.end) for quote in quoted),
        )


def _span(passage: Passage, start: int, end: int) -> Span:
    return Span(passage.version.document.path, start, end)


def _official(path: Path, read: str) -> str:
    """The text that gold counts in; of a file that is no text, gold counts in what was read."""
    try:
        return questions.text_of(path)
    except UnicodeDecodeError:
        return read


def _everywhere(words: str, file: str, text: str) -> Iterator[Span]:
    """Each place where these words stand, whatever is between them."""
    pattern = r"[\W_]+".join(map(re.escape, re.findall(r"[^\W_]+", words)))
    if pattern:
        yield from (Span(file, *found.span()) for found in re.finditer(pattern, text, re.IGNORECASE))
