"""Asking back: the documents to choose from when a question does not say which one it means.

Collections of contracts look alike: "What is the notice period?" has an answer in each. Where the best
results are spread over documents and the question names none, or several, the page offers them instead of
guessing.
"""

from collections.abc import Sequence

from knowledge import routing
from knowledge.access import Scope
from knowledge.models import Document, Passage

LOOKED_AT = 10  # passages
LEAST = 3  # documents among them: two may both have something to say
MOST = 8  # documents offered


def of(scope: Scope, question: str, passages: Sequence[Passage]) -> list[Document]:
    """The documents that the question may mean, by what was found for it, the likeliest first.

    None when it is plain which one is meant.
    """
    documents = [passage.version.document for passage in passages[:LOOKED_AT]]
    spread = list({document.pk: document for document in documents}.values())
    if len(spread) < 2:
        return []
    meant = routing.route(scope, question).meant
    if meant:
        return [document for document in spread if document.pk in meant] if len(meant) > 1 else []
    return spread[:MOST] if len(spread) >= LEAST else []
