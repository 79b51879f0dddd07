"""A kind of clause that is asked for, and that no sentence of the quoted documents is worded like.

It proves nothing: a clause may be worded in no usual way. So it is said beside the quotes, and nothing is
kept back. How often it is right: docs/answers.md.
"""

from collections.abc import Collection, Iterable, Iterator
from uuid import UUID

from inference.embedder import Embedder
from knowledge import access, topics
from knowledge.access import Scope
from knowledge.models import Generation, Passage

DOCUMENTS = 3  # quotes from more say that no document is meant


def unworded(scope: Scope, embedder: Embedder, question: str, quoted: Iterable[Passage]) -> str:
    """What the kind of clause is called, where none of the documents quoted has a sentence worded like one.

    "" where one has, where no kind of clause is asked for that we know, and where no document is meant.
    """
    versions = {passage.version_id for passage in quoted}
    if len(versions) > DOCUMENTS:
        return ""
    kinds = topics.asked(embedder, question)
    if not kinds or any(kind.is_worded_in(text) for text in _texts(scope, versions) for kind in kinds):
        return ""
    return kinds[0].names[0]


def _texts(scope: Scope, versions: Collection[UUID]) -> Iterator[str]:
    rows = Passage.objects.filter(
        version__in=versions,
        version__document__in=access.documents_in(scope),
        generation__state=Generation.State.CURRENT,
    )
    return rows.values_list("text", flat=True).iterator()
