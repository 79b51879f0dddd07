"""The plan of research: which shape the report has, and which sub-questions are searched for.

Deterministic: it goes by how people word such questions. A question without a pattern is its own plan.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from knowledge import highlight

MOST = 12  # sub-questions


class Shape(StrEnum):
    COMPARE = "compare"  # one heading for each thing that is compared
    CHRONOLOGY = "chronology"  # in the order of the dates in the quotes
    LIST = "list"  # one heading for each document
    ANSWER = "answer"  # one heading for each sub-question


@dataclass(frozen=True)
class Part:
    """One sub-question; `document` is the path of the only document that is searched for it, or ""."""

    label: str
    query: str
    document: str = ""


@dataclass(frozen=True)
class Plan:
    shape: Shape
    parts: list[Part]
    left_out: int = 0  # sub-questions beyond the most, which are not looked for

    def told(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Plan":
        return cls(Shape(told["shape"]), [Part(**part) for part in told["parts"]], told.get("left_out", 0))

    @property
    def caution(self) -> str:
        """What to say where not everything is looked for; "" where it is."""
        more = f"{self.left_out} more sub-question{'' if self.left_out == 1 else 's'}"
        return (
            f"{more} were left out: there are {MOST} at most. Ask for them by themselves."
            if self.left_out
            else ""
        )


_TIME = re.compile(
    r"\b(?:chronolog\w+|time-?line|sequence of events|in (?:the )?order of time|what happened|history of|"
    r"course of events)\b(?:\s+(?:of|in|between|to|with|from))?",
    re.IGNORECASE,
)
_COMPARE = (
    re.compile(
        r"\bdifferences?\s+(?:in\s+(?P<what>.+?)\s+)?between\s+(?P<one>.+?)\s+and\s+(?P<two>.+)", re.I
    ),
    re.compile(r"\bcompare\s+(?P<one>.+?)\s+(?:and|with|to|against)\s+(?P<two>.+)", re.IGNORECASE),
    re.compile(
        r"\bhow\s+do(?:es)?\s+(?P<one>.+?)\s+(?:differ|compare)\s+(?:from|with|to)\s+(?P<two>.+)", re.I
    ),
    re.compile(r"(?P<one>.+?)\s+(?:versus|vs\.?)\s+(?P<two>.+)", re.IGNORECASE),
)
_ASPECT = re.compile(
    r"\s+(?:on|as to|regarding|with (?:regard|respect) to|in terms of|about|for)\s+(?P<what>.+)$", re.I
)
_ACROSS = re.compile(
    r"\b(?:compare|contrast)\b\s*(?:(?P<before>.+?)\s+(?:across|in|of|between)\s+)?"
    r"(?:(?:all|the|these|both|of|our)\s+)*(?:documents|agreements|contracts|leases|letters|reports|versions)\b",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"^\s*(?:list|name|identify|find|show|give)\b(?:\s+(?:me|us))?(?:\s+(?:all|every|each|any|the))*"
    r"|^\s*which\b|^\s*what are (?:all )?the\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:(?:what|how)\s+)?(?:the|a|an)\s+|^\s*(?:what|how)\s+", re.IGNORECASE)
_SAYING = re.compile(r"\s+(?:say|provide|state|tell|contain|hold|deal with|treat|handle)s?$", re.IGNORECASE)
_SEVERAL = re.compile(r",\s*(?:and\s+)?|\s+and\s+")


def plan(question: str, documents: Sequence[str]) -> Plan:
    """`documents` are the paths of what may be read."""
    plain = " ".join(question.split()).rstrip("?.! ")
    if _TIME.search(plain):
        return _chronology(plain)
    found = _across(plain, documents) or _compared(plain, documents)
    if found:
        return found
    if _LIST.search(plain):
        topic = _ITEM.sub("", _LIST.sub("", plain)).strip() or plain
        return _bounded(Shape.LIST, [Part(topic, plain), *_each_item(topic)])
    questions = [each.strip() for each in re.split(r"\?\s+", plain) if each.strip()]
    return _bounded(Shape.ANSWER, [Part(each, each) for each in questions])


def _bounded(shape: Shape, parts: list[Part]) -> Plan:
    return Plan(shape, parts[:MOST], max(0, len(parts) - MOST))


def rephrased(query: str) -> str:
    """The words that carry the meaning alone: what is left of a question when its manner is taken away."""
    words = [word for word in highlight.WORD.findall(query) if word.lower() not in highlight.STOP_WORDS]
    return " ".join(words) or query


def _chronology(plain: str) -> Plan:
    topic = " ".join(_TIME.sub(" ", plain).split())
    topic = re.sub(
        r"^(?:(?:give|make|write|show|tell|a|an|the|me|us|what|is|was|and|when)\s+)+", "", topic, flags=re.I
    )
    topic = re.sub(r"\s+(?:and when|when)$", "", topic, flags=re.I) or plain
    queries = [
        topic,
        f"date on which {topic}",
        f"letter notice of {topic} dated",
        f"{topic} began ended signed",
    ]
    return Plan(Shape.CHRONOLOGY, [Part(query, query) for query in queries])


def _across(plain: str, documents: Sequence[str]) -> Plan | None:
    """Compare something in all documents: the same sub-question to each."""
    match = _ACROSS.search(plain)
    if match is None:
        return None
    rest = plain[match.end() :]
    aspect = _ASPECT.search(rest)
    what = aspect["what"] if aspect else _ITEM.sub("", match["before"] or "") or plain
    return _bounded(Shape.COMPARE, [Part(path, what, path) for path in documents])


def _compared(plain: str, documents: Sequence[str]) -> Plan | None:
    match = next((found for pattern in _COMPARE if (found := pattern.search(plain))), None)
    if match is None:
        return None
    said = match.groupdict()
    two, what = said["two"], said.get("what") or ""
    aspect = _ASPECT.search(two)
    if aspect and not what:
        two, what = two[: aspect.start()], aspect["what"]
    things = [thing for each in (said["one"], _SAYING.sub("", two)) for thing in _things(each, documents)]
    return _bounded(Shape.COMPARE, [_part(thing, what, documents) for thing in things])


def _things(said: str, documents: Sequence[str]) -> list[str]:
    """What is named here; several only where each is a document: "terms and conditions" stays whole."""
    whole = _ITEM.sub("", said).strip()
    several = [_ITEM.sub("", each).strip() for each in _SEVERAL.split(said)]
    is_list = not _named(whole, documents) and all(_named(each, documents) for each in several)
    return several if is_list else [whole]


def _part(thing: str, what: str, documents: Sequence[str]) -> Part:
    document = _named(thing, documents)
    query = what if document and what else f"{what} {thing}".strip()
    return Part(thing, query, document)


def _named(thing: str, documents: Sequence[str]) -> str:
    """The one document whose name has all the words of the thing, or of several the one that has no others.

    Numbers apart: "the amendment" is amendment-1.docx rather than amendment-1-draft.docx.
    """
    words = highlight.terms(thing)
    if not words:
        return ""
    fits = [path for path in documents if words <= _words(path)]
    same = [path for path in fits if words == {word for word in _words(_stem(path)) if not word.isdigit()}]
    return fits[0] if len(fits) == 1 else same[0] if len(same) == 1 else ""


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _words(name: str) -> set[str]:
    return highlight.terms(re.sub(r"[\W_]+", " ", name))


def _each_item(topic: str) -> list[Part]:
    """“caps, exclusions and indemnities” are searched for one by one too."""
    items = [
        item.strip() for item in re.split(r",\s*(?:and|or)?\s*|\s+and\s+|\s+or\s+", topic) if item.strip()
    ]
    return [Part(item, item) for item in items] if len(items) > 1 else []
