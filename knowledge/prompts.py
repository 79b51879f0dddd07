"""What the generator is told. The order is fixed so that a prefix cache is hit by every further question:
system, documents in canonical order, then turns that are only ever appended to; each has its own passages,
its key sentences, and the question last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from inference.generator import Message

SYSTEM = (
    "You answer questions about legal case files. Use only the sources. "
    "Answer in one to three short sentences and copy the decisive words exactly as the source has them. "
    "After each sentence put the number that stands before those words in square brackets, like [1]. "
    "If the sources do not answer the question, say: The sources do not say."
)

# What is said of one document alone; how it may begin is also told to the generator's own form.
YES, NO, UNDECIDED = "Yes:", "No.", "Undecided."
VERDICT = (
    f"Decide for this document alone. Begin with {YES} or {NO} or {UNDECIDED} "
    f"After {YES} copy the one sentence that says so, exactly as the document has it, with its number.\n\n"
)

LEAD = "Sources:\n\n"
MORE = "Further sources:\n\n"


@dataclass(frozen=True)
class Source:
    """A stretch of text in the prompt, its units marked with their numbers."""

    title: str  # document and page, for example "Supply Agreement.pdf, page 4"
    text: str


@dataclass(frozen=True)
class Turn:
    sources: Sequence[Source]  # what this question added
    key_sentences: Sequence[str]
    question: str
    said: str = ""  # the answer, word for word; nothing while it is to be written
    earlier: str = ""  # the question before it, where that is not in this prompt


def messages(documents: Sequence[Source], turns: Sequence[Turn]) -> list[Message]:
    """The documents lead the first turn. What follows a turn never changes what stands before it."""
    made = [Message("system", SYSTEM)]
    for number, turn in enumerate(turns):
        lead = reading(documents) if number == 0 else MORE if turn.sources else ""
        made.append(Message("user", lead + _asked(turn), () if number else _ends(documents)))
        if turn.said:
            made.append(Message("assistant", turn.said))
    return made


def verdict(documents: Sequence[Source], turn: Turn) -> list[Message]:
    """One question to one document: it begins as an answer does that reads the same in full."""
    asked = reading(documents) + _listed(turn.sources) + VERDICT + _pointed(turn)
    return [Message("system", SYSTEM), Message("user", asked, _ends(documents))]


def reading(documents: Sequence[Source]) -> str:
    """The documents that are read in full: the same bytes for every question about them."""
    return LEAD + _listed(documents)


def warming(documents: Sequence[Source]) -> list[Message]:
    """A prompt that ends where questions about these documents begin to differ."""
    return [Message("system", SYSTEM), Message("user", reading(documents), _ends(documents))]


def _ends(documents: Sequence[Source]) -> tuple[int, ...]:
    """Where each of them ends in reading(): another prompt may begin with the first few."""
    return tuple(accumulate((len(_listed([source])) for source in documents), initial=len(LEAD)))[1:]


def _listed(sources: Sequence[Source]) -> str:
    return "".join(f"{source.title}\n{source.text.strip()}\n\n" for source in sources)


def _asked(turn: Turn) -> str:
    return _listed(turn.sources) + _pointed(turn)


def _pointed(turn: Turn) -> str:
    """Most key sentences stand in the sources too; naming them again is what makes a small model use them."""
    key = "".join(f"- {' '.join(sentence.split())}\n" for sentence in turn.key_sentences)
    pointed = f"The most relevant sentences are:\n{key}\n" if key else ""
    earlier = f"Earlier question: {turn.earlier}\n" if turn.earlier else ""
    return f"{pointed}{earlier}Question: {turn.question}"
