"""What stands in a prompt: of an answer the documents it began with, then turn by turn what was added.

Everything is read from the rows of the answers, so that what has been deleted is in no prompt any more.
"""

from collections.abc import Iterable, Sequence
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
        return numbered(self.evidence, self.texts)

    @property
    def ids(self) -> tuple[str, ...]:
        """The numbers that a citation can have."""
        return ids(self.reads)

    def messages(self) -> list[Message]:
        """The longer prompt of a later turn begins with these, as long as it goes on with them."""
        sources = {row.pk: source(read) for row, read in zip(self.evidence, self.reads, strict=True)}
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
                    [
                        key_sentence(self.reads, row.version_id, row.start, row.quote)
                        for row in self.keys[turn.pk]
                    ],
                    turn.question,
                    said=turn.said if turn is not self.answers[-1] else "",
                    earlier=self._earlier.question if self._earlier and turn is first else "",
                )
                for turn in self.answers
            ],
        )


def numbered(rows: Iterable[Evidence], texts: Texts) -> list[Read]:
    """These stretches in the order of the prompt, their units numbered through."""
    reads: list[Read] = []
    first = 1
    for row in rows:
        text = texts.slice(row.version_id, row.start, row.end)
        found = units.of(text, row.start, first)
        reads.append(Read(row.version_id, row.start, text, found, _title(row, texts)))
        first += len(found)
    return reads


def ids(reads: Iterable[Read]) -> tuple[str, ...]:
    """The numbers that a citation of these can have."""
    return tuple(str(unit.id) for read in reads for unit in read.units)


def source(read: Read) -> prompts.Source:
    return prompts.Source(read.title, units.marked(read.text, read.start, read.units))


def key_sentence(reads: Sequence[Read], version_id: UUID, start: int, quote: str) -> str:
    """With the number of its unit, where it stands in the prompt."""
    for read in reads:
        for unit in read.units:
            if read.version_id == version_id and unit.start <= start < unit.end:
                return f"[{unit.id}] {quote}"
    return quote


def turns(answer: Answer) -> list[Answer]:
    """The answers whose prompt this one's goes on with, oldest first, and itself."""
    found = [answer]
    while found[-1].goes_on and found[-1].follows is not None:
        found.append(found[-1].follows)
    return found[::-1]


def warming(versions: Iterable[Version]) -> list[Message]:
    """The beginning of every prompt that reads these documents in full, in this order."""
    read = list(versions)
    whole = Evidence.Kind.FULL
    rows = [Evidence(kind=whole, version=version, start=0, end=version.characters) for version in read]
    reads = numbered(rows, Texts({version.pk for version in read}))
    return prompts.warming([source(each) for each in reads])


def _title(row: Evidence, texts: Texts) -> str:
    path = row.version.document.path
    if row.kind == Evidence.Kind.FULL:
        return path
    return f"{path}, {at(texts.label(row.version_id, row.start))}"


def _leads(row: Evidence, first: Answer) -> bool:
    """Whether it is one of the documents that stand before the first question."""
    return row.answer_id == first.pk and row.kind == Evidence.Kind.FULL


def _evidence(answer: Answer) -> list[Evidence]:
    return list(answer.evidence.select_related("version__document"))


def _keys(answer: Answer) -> list[Citation]:
    rows = answer.citations.filter(origin=Citation.Origin.KEY)
    return list(rows.select_related("version__document"))
