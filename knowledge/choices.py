"""Asking back: the documents to choose from when a question does not say which one it means.

Collections of contracts look alike: "What is the notice period?" has an answer in each. Where the best
results are spread over documents and the question names none, or several, the page offers them instead of
guessing. Words that are no question ("liquidated damages") ask for every place, and nothing is asked back.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from knowledge import names, routing
from knowledge.access import Scope
from knowledge.models import Document, Passage

LOOKED_AT = 10  # passages
LEAST = 3  # documents among them: two may both have something to say
MOST = 8  # documents offered
LEAST_NAME = 2  # words: “lease.pdf” is what many are called
_QUESTION = re.compile(
    r"\s*(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|has|have|had|can|could"
    r"|may|must|shall|should|will|would|tell|give|show|list|name|find|state|explain|describe|summari[sz]e|outline"
    r"|identify|compare|quote|calculate|check|please)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


def of(scope: Scope, question: str, passages: Sequence[Passage]) -> list[Document]:
    """The documents that the question may mean, by what was found for it, the likeliest first.

    None when it is plain which one is meant.
    """
    documents = [passage.version.document for passage in passages[:LOOKED_AT]]
    spread = list({document.pk: document for document in documents}.values())
    if len(spread) < 2 or not _is_question(question):
        return []
    called = [document for document in spread if _is_called(document, question)]
    meant = {document.pk for document in called} or set(routing.route(scope, question).meant)
    if meant:
        return [document for document in spread if document.pk in meant] if len(meant) > 1 else []
    return spread[:MOST] if len(spread) >= LEAST else []


def _is_question(text: str) -> bool:
    return bool(_QUESTION.match(text) or "?" in text)


def _is_called(document: Document, question: str) -> bool:
    """The question holds the whole name of the file as words: "the supply agreement"."""
    name = _words(names.split(PurePosixPath(document.path).stem))
    return len(name) >= LEAST_NAME and f" {' '.join(name)} " in f" {' '.join(_words(question))} "


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
