"""A kind of clause that is asked for, and that nothing in the quoted documents is worded like.

It proves nothing: a clause may be worded in no usual way. So it is said beside the quotes, and nothing is
kept back. How often it is right: docs/answers.md.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from uuid import UUID

from knowledge import access, headings
from knowledge.access import Scope
from knowledge.clauses import Clause, plainly
from knowledge.models import Generation, Passage

DOCUMENTS = 3  # quotes from more say that no document is meant


def unworded(scope: Scope, asked: Sequence[Clause], quoted: Iterable[Passage]) -> str:
    """What the kind of clause is called, where none of the documents quoted has a sentence worded like one.

    asked: the kinds of clauses that the question surely asks for, the likeliest first (`topics.asked`).

    "" where one has, or a heading has its name (an amendment may say only which figure replaces which), where
    no kind of clause is asked for that we know, and where no document is meant.
    """
    versions = {passage.version_id for passage in quoted}
    if len(versions) > DOCUMENTS:
        return ""
    if not asked or any(_is_about(kind, text) for text in _texts(scope, versions) for kind in asked):
        return ""
    return asked[0].names[0]


def _is_about(kind: Clause, text: str) -> bool:
    return kind.is_worded_in(text) or any(kind.is_named(plainly(line)) for line in headings.of(text))


def _texts(scope: Scope, versions: Collection[UUID]) -> Iterator[str]:
    rows = Passage.objects.filter(
        version__in=versions,
        version__document__in=access.documents_in(scope),
        generation__state=Generation.State.CURRENT,
    )
    return rows.values_list("text", flat=True).iterator()
