"""What stands in the prompt of an answer: the documents it began with, then turn by turn what was added.

Everything is read from the rows of the answers, so that what has been deleted is in no prompt any more.
"""

from collections.abc import Iterable
from functools import cached_property
from uuid import UUID

from inference.generator import Message
from knowledge import prompts, units
from knowledge.citations import Read
from knowledge.models import Answer, Citation, Evidence, Version
from knowledge.pins import Texts, at


class Conversation:
    """The prompt of one answer. Loaded at once; nothing here asks the database later."""

    def __init__(self, answer: Answer) -> None:
        self.answers = turns(answer)
        self.evidence = [row for turn in self.answers for row in _evidence(turn)]
        self.keys = {turn.pk: _keys(turn) for turn in self.answers}
        quoted = self.keys[answer.pk]
        self.versions: dict[UUID, Version] = {row.version_id: row.version for row in self.evidence}
        self.versions |= {row.version_id: row.version for row in quoted}
        self.texts = Texts(set(self.versions))
        self._earlier = self.answers[0].follows  # asked before, but not in the prompt

    @cached_property
    def reads(self) -> list[Read]:
        """What was added, in the order of the prompt, its units numbered through."""
        reads: list[Read] = []
        first = 1
        for row in self.evidence:
            text = self.texts.slice(row.version_id, row.start, row.end)
            numbered = units.of(text, row.start, first)
            reads.append(Read(row.version_id, row.start, text, numbered, self._title(row)))
            first += len(numbered)
        return reads

    @property
    def ids(self) -> tuple[str, ...]:
        """The numbers that a citation can have."""
        return tuple(str(unit.id) for read in self.reads for unit in read.units)

    def messages(self) -> list[Message]:
        """The longer prompt of a later turn begins with these, as long as it goes on with them."""
        sources = {
            row.pk: prompts.Source(read.title, units.marked(read.text, read.start, read.units))
            for row, read in zip(self.evidence, self.reads, strict=True)
        }
        first = self.answers[0]
        documents = [row.pk for row in self.evidence if _leads(row, first)]
        return prompts.messages(
            [sources[pk] for pk in documents],
            [
                prompts.Turn(
                    [
                        sources[row.pk]
                        for row in self.evidence
                        if row.answer_id == turn.pk and not _leads(row, first)
                    ],
                    [self._key_sentence(row) for row in self.keys[turn.pk]],
                    turn.question,
                    said=turn.said if turn is not self.answers[-1] else "",
                    earlier=self._earlier.question if self._earlier and turn is first else "",
                )
                for turn in self.answers
            ],
        )

    def _key_sentence(self, row: Citation) -> str:
        """With the number of its unit, where it stands in the prompt."""
        for read in self.reads:
            for unit in read.units:
                if read.version_id == row.version_id and unit.start <= row.start < unit.end:
                    return f"[{unit.id}] {row.quote}"
        return row.quote

    def _title(self, row: Evidence) -> str:
        path = row.version.document.path
        if row.kind == Evidence.Kind.FULL:
            return path
        return f"{path}, {at(self.texts.label(row.version_id, row.start))}"


def turns(answer: Answer) -> list[Answer]:
    """The answers whose prompt this one's goes on with, oldest first, and itself."""
    found = [answer]
    while found[-1].goes_on and found[-1].follows is not None:
        found.append(found[-1].follows)
    return found[::-1]


def warming(versions: Iterable[Version]) -> list[Message]:
    """The beginning of every prompt that reads these documents in full, in this order."""
    documents, first = [], 1
    for version in versions:
        text = version.text()
        numbered = units.of(text, 0, first)
        documents.append(prompts.Source(version.document.path, units.marked(text, 0, numbered)))
        first += len(numbered)
    return prompts.warming(documents)


def _leads(row: Evidence, first: Answer) -> bool:
    """Whether it is one of the documents that stand before the first question."""
    return row.answer_id == first.pk and row.kind == Evidence.Kind.FULL


def _evidence(answer: Answer) -> list[Evidence]:
    return list(answer.evidence.select_related("version__document"))


def _keys(answer: Answer) -> list[Citation]:
    rows = answer.citations.filter(origin=Citation.Origin.KEY)
    return list(rows.select_related("version__document"))
