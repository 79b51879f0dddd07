"""A kind of clause that is asked for, and that no sentence of the quoted documents is worded like.

It proves nothing: a clause may be worded in no usual way. So it is said beside the quotes, and nothing is
kept back. How often it is right: docs/answers.md.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from inference.embedder import Embedder
from knowledge import access, names, topics
from knowledge.access import Scope
from knowledge.clauses import Clause
from knowledge.models import Generation, Passage

DOCUMENTS = 3  # quotes from more say that no document is meant
SURELY = 0.7  # “when was the agreement signed” is 0.69 like “expiration date”
_LEAD = re.compile(r"^(?:what|which|how|who|when|where)\s+(?:is|are|was|were)\s+(?:the\s+)?", re.IGNORECASE)
_ROLE = r"specified|provided|included|designated|granted|required|assigned|contained"
_TAIL = re.compile(rf"\s+(?:(?:{_ROLE})\s+)?(?:in|under|for|of|by)\s+(?:this|the)\s+\w+$", re.IGNORECASE)


def unworded(scope: Scope, embedder: Embedder, question: str, quoted: Iterable[Passage]) -> str:
    """What the kind of clause is called, where none of the documents quoted has a sentence worded like one.

    "" where one has, where no kind of clause is asked for that we know, and where no document is meant.
    """
    versions = {passage.version_id for passage in quoted}
    if len(versions) > DOCUMENTS:
        return ""
    kinds = _kinds(embedder, question)
    if not kinds or any(kind.is_worded_in(text) for text in _texts(scope, versions) for kind in kinds):
        return ""
    return kinds[0].names[0]


def _kinds(embedder: Embedder, question: str) -> list[Clause]:
    """Those that may be asked for, the likeliest first."""
    topic = topics.of(names.rest(question))
    bare = _TAIL.sub("", _LEAD.sub("", topic.text)) or topic.text
    return topics.clauses_like(embedder, replace(topic, text=bare), SURELY)


def _texts(scope: Scope, versions: Collection[UUID]) -> Iterator[str]:
    rows = Passage.objects.filter(
        version__in=versions,
        version__document__in=access.documents_in(scope),
        generation__state=Generation.State.CURRENT,
    )
    return rows.values_list("text", flat=True).iterator()
