"""The hit report that parties exchange: for each term its documents, hits, and what it alone finds."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from knowledge.access import Scope
from knowledge.exact import finding
from knowledge.query import Node, Or, QueryError, parse
from knowledge.query.tree import Literal, leaves
from knowledge.sheets import plain

MOST_TERMS = 200
HEAD = ("term", "read as", "documents", "hits", "documents with no other term")


class BadTerm(Exception):
    """A term of the list cannot be read; the message says which."""


@dataclass(frozen=True)
class Line:
    term: str
    read_as: str
    documents: int
    hits: int
    alone: int  # documents that no other term finds


def terms_of(text: str) -> list[str]:
    """The terms of one query: what its outermost OR divides, else each word and phrase. Raises QueryError."""
    node = parse(text, literally=True).exact
    if isinstance(node, Or):
        return [str(part) for part in node.parts]
    found = [leaf for leaf in leaves(node) if isinstance(leaf, Literal)] if node else []
    return list(dict.fromkeys(map(str, found))) or [str(node)]


def lines(scope: Scope, terms: Sequence[str]) -> list[Line]:
    """One line for each term, in their order. Raises BadTerm."""
    nodes = list(_nodes(terms))
    found = [_counts(scope, node) for node in nodes]
    times = Counter(pk for counts in found for pk in counts)
    return [
        Line(
            term=term,
            read_as=str(node),
            documents=len(counts),
            hits=sum(counts.values()),
            alone=sum(times[pk] == 1 for pk in counts),
        )
        for term, node, counts in zip(terms, nodes, found, strict=True)
    ]


def as_csv(rows: Sequence[Line]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(HEAD)
    for row in rows:
        writer.writerow([plain(row.term), plain(row.read_as), row.documents, row.hits, row.alone])
    return buffer.getvalue()


def _nodes(terms: Sequence[str]) -> Iterator[Node]:
    if not terms:
        raise BadTerm("Write one term on each line.")
    if len(terms) > MOST_TERMS:
        raise BadTerm(f"These are {len(terms):,} terms; at most {MOST_TERMS} are counted at once.")
    for number, term in enumerate(terms, start=1):
        try:
            node = parse(term, literally=True).exact
        except QueryError as error:
            raise BadTerm(f"Line {number}: {error}") from error
        if node is not None:
            yield node


def _counts(scope: Scope, node: Node) -> dict[UUID, int]:
    return {each.document_id: len(each.places) for each in finding.matches(scope, node)}
