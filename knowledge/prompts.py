"""What the generator is told. The order is fixed so that a prefix cache is hit by every further question:
system, sources in canonical order, then what belongs to this question alone: its key sentences, itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.generator import Message

SYSTEM = (
    "You answer questions about legal case files. Use only the sources. "
    "Answer in one to three short sentences and copy the decisive words exactly as the source has them. "
    "After each sentence put the number of its source in square brackets, like [1]. "
    "If the sources do not answer the question, say: The sources do not say."
)


@dataclass(frozen=True)
class Source:
    """One numbered stretch of text in the prompt."""

    number: int
    title: str  # document and page, for example "Supply Agreement.pdf, p. 4"
    text: str


def messages(sources: Sequence[Source], key_sentences: Sequence[str], question: str) -> list[Message]:
    """Most key sentences stand in the sources too; naming them again is what makes a small model use them."""
    read = "\n\n".join(f"[{source.number}] {source.title}\n{source.text.strip()}" for source in sources)
    key = "\n".join(f"- {' '.join(sentence.split())}" for sentence in key_sentences)
    return [
        Message("system", SYSTEM),
        Message(
            "user", f"Sources:\n\n{read}\n\nThe most relevant sentences are:\n{key}\n\nQuestion: {question}"
        ),
    ]
