"""What a question to many documents is about: its topic, the names in it, and the kind of clause."""

import re
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from inference.embedder import Embedder
from knowledge import clauses, names
from knowledge.clauses import Clause, plainly

LIKE = 0.6  # cosine from which on a topic is that kind of clause
SURELY = 0.7  # “when was the agreement signed” is 0.69 like “expiration date”
ABOUT_AS_LIKE = 0.1  # below the nearest kind; any of them may be meant
NEAR_LAW = 90  # characters within which a place stands with the law it names

_DOCUMENTS = r"(?:agreements?|contracts?|documents?|files?|ndas?|leases?|letters?|policies|deeds?)"
_COMMAND = re.compile(
    rf"^\s*(?:please\s+)?(?:(?:list|find|show|give|name|identify|tell)\b(?:\s+(?:me|us|out))?\s*)?"
    rf"(?:(?:which|what|how many|every|each|all|any|the|of)\s+)*(?:(?!contain)\w+\s+){{0,2}}?{_DOCUMENTS}\b"
    rf"(?:\s+(?:in|of|from)\s+(?:this|the|our|my)\s+\w+)?\s*",
    re.IGNORECASE,
)
_RELATION = re.compile(
    r"^(?:(?:that|which|do|does|is|are|was|were|has|have)\s+)*"
    r"(?:contain(?:s|ing)?|includ(?:e|es|ing)|have|has|having|with|provid(?:e|es|ing)(?:\s+for)?|"
    r"set(?:s)?\s+out|mention(?:s)?|there)?\s*(?:(?:a|an|any|the|some)\s+)?",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^\s*(?:is|are|does|do|has|have|may|can|must)\s+(?:there\s+)?(?:the\s+|this\s+)?"
    rf"(?:{_DOCUMENTS}\s+)?(?:contain|include|have|provide\s+for)?\s*(?:(?:an?|any)\s+)?",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(?:what|which|how|who|when|where)\s+(?:is|are|was|were)\s+(?:the\s+)?", re.IGNORECASE)
_ROLE = r"specified|provided|included|designated|granted|required|assigned|contained"
_TAIL = re.compile(rf"\s+(?:(?:{_ROLE})\s+)?(?:in|under|for|of|by)\s+(?:this|the)\s+\w+$", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][\w&.'’-]*[a-z][\w.'’-]*(?:\s+(?:of\s+)?[A-Z][\w&.'’-]*)*")
_LAW = re.compile(r"\blaws?\b|\bgovern", re.IGNORECASE)


@dataclass(frozen=True)
class Topic:
    """`names` are alternatives for one thing each, in lower case: the sentence must have them all."""

    text: str
    names: tuple[str, ...]
    is_law: bool

    def is_named_in(self, plain: str) -> bool:
        return all(self._has(plain, name) for name in self.names)

    def _has(self, plain: str, name: str) -> bool:
        if not self.is_law:
            return name in plain
        # A place beside the law, not that of a court, an office or an arbitration.
        word = re.escape(name)
        beside = rf"\blaws?\b[^.;]{{0,{NEAR_LAW}}}\b{word}\b|\b{word}(?:'s)?(?: state)? laws?\b"
        return bool(re.search(beside, plain))


def of(question: str) -> Topic:
    plain = " ".join(question.split()).rstrip("?.! ")
    rest = _COMMAND.sub("", plain)
    rest = _YES_NO.sub("", plain) if rest == plain else _RELATION.sub("", rest)
    text = rest or plain
    # The first word of a question is written with a capital anyhow.
    named = [match.group() for match in _NAME.finditer(text) if match.start() or rest != plain]
    return Topic(text, tuple(_proper(text, named)), bool(_LAW.search(text)))


def _proper(text: str, named: list[str]) -> list[str]:
    """In “Ontario, Canada” the second only says where the first is."""
    kept: list[str] = []
    for name in named:
        before = text[: text.index(name)].rstrip()
        if not (kept and before.endswith(",")):
            kept.append(plainly(name))
    return kept


def clause(embedder: Embedder, topic: Topic) -> Clause | None:
    """The kind of clause that is asked for, if it is one that we know."""
    return next(iter(clauses_like(embedder, _bare(topic))), None)


def asked(embedder: Embedder, question: str) -> list[Clause]:
    """The kinds of clauses that a question to documents surely asks for, the likeliest first."""
    return clauses_like(embedder, _bare(of(names.rest(question))), SURELY)


def _bare(topic: Topic) -> Topic:
    """Without “what is the …” and “… for this contract”, which make it like other kinds of clauses too."""
    return replace(topic, text=_TAIL.sub("", _LEAD.sub("", topic.text)) or topic.text)


def clauses_like(embedder: Embedder, topic: Topic, surely: float = LIKE) -> list[Clause]:
    """The kinds of clauses that may be asked for, among those that we know, the likeliest first.

    None where even that is less like the topic than `surely`.
    """
    vectors, owners = _names(embedder)
    likeness = vectors @ embedder.embed_passages([_without_names(topic)])[0]
    if likeness.max() < surely:
        return []
    least = max(LIKE, likeness.max() - ABOUT_AS_LIKE)
    order = [owners[place] for place in np.argsort(-likeness, kind="stable") if likeness[place] >= least]
    return [clauses.known()[owner] for owner in dict.fromkeys(order)]


def _without_names(topic: Topic) -> str:
    text = topic.text
    for name in topic.names:
        text = re.sub(re.escape(name), "", text, flags=re.IGNORECASE)
    return " ".join(text.split()).rstrip(" ,")


_embedded: WeakKeyDictionary[Embedder, tuple[NDArray[np.float32], list[int]]] = WeakKeyDictionary()


def _names(embedder: Embedder) -> tuple[NDArray[np.float32], list[int]]:
    """The names of all kinds of clauses, embedded once, shape (names, dimensions); and whose each is."""
    if embedder not in _embedded:
        rows = [(name, place) for place, each in enumerate(clauses.known()) for name in each.names]
        vectors = embedder.embed_passages([name for name, _ in rows])
        _embedded[embedder] = vectors, [place for _, place in rows]
    return _embedded[embedder]
