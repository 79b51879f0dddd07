"""From tokens to a tree, by recursive descent.

A distance binds closest, then NOT, then AND (also where nothing stands between two parts), then OR. Plain
words rank; they are taken literally as soon as an operator stands beside them or beside their brackets.
"""

from dataclasses import dataclass, field

from knowledge.query import fields
from knowledge.query.errors import QueryError
from knowledge.query.lexer import OPERATORS, Token, tokens
from knowledge.query.tree import And, Field, Literal, Near, Node, Not, Or, Query
from knowledge.query.words import WILD, has_wildcard, is_wild, patterns

LONGEST = 10_000  # characters
DEEPEST = 24  # brackets in brackets; SQLite's full-text index takes about thirty
MOST_PARTS = 500  # words, phrases and fields
LEAST_LETTERS = 2  # beside a wildcard
NOTHING = "Type what to look for."


@dataclass(frozen=True)
class _Inside:
    """Where in the query a part stands."""

    is_literal: bool  # plain words are taken literally
    depth: int = 0  # brackets around it


def parse(text: str, *, literally: bool = False) -> Query:
    """Raises QueryError; `literally`: no word only ranks, every one must be there."""
    text = text.replace("\x00", " ")
    if len(text) > LONGEST:
        message = f"That is {len(text):,} characters; at most {LONGEST:,} can be searched for."
        raise QueryError(message, LONGEST, len(text))
    parser = _Parser(text, list(tokens(text)))
    exact = parser.group(_Inside(literally))
    if parser.is_at("close"):
        raise parser.error("This bracket was never opened.", parser.next())
    query = Query(exact, " ".join(parser.plain))
    if exact is None and not query.words:
        raise QueryError(NOTHING, 0, 1)
    return query


@dataclass
class _Parser:
    text: str
    tokens: list[Token]
    at: int = 0
    parts: int = 0
    plain: list[str] = field(default_factory=list)

    def is_at(self, *sorts: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].sort in sorts

    def next(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def group(self, inside: _Inside) -> Node | None:
        """Everything up to the bracket that closes it, or to the end."""
        inside = _Inside(inside.is_literal or self._has_operator(), inside.depth)
        parts = [self._all_of(inside)]
        while self.is_at("or"):
            self.next()
            parts.append(self._all_of(inside))
        return _joined(Or, parts)

    def _has_operator(self) -> bool:
        """Whether an operator stands in this pair of brackets, not only in one inside of it."""
        depth = 0
        for token in self.tokens[self.at :]:
            depth += (token.sort == "open") - (token.sort == "close")
            if depth < 0:
                return False
            if depth == 0 and token.sort in OPERATORS:
                return True
        return False

    def _all_of(self, inside: _Inside) -> Node | None:
        parts = [self._negated(inside)] if inside.is_literal else []
        while self.at < len(self.tokens) and not self.is_at("or", "close"):
            if self.is_at("and"):
                self.next()
            parts.append(self._negated(inside))
        return _joined(And, parts)

    def _negated(self, inside: _Inside) -> Node | None:
        count = 0
        while self.is_at("not"):
            self.next()
            count += 1
        part = self._near(inside)
        if part is None or count % 2 == 0:
            return part
        return part.part if isinstance(part, Not) else Not(part)

    def _near(self, inside: _Inside) -> Node | None:
        node, chain = self._primary(inside), inside.depth
        while self.is_at("near"):
            operator, chain = self.next(), chain + 1
            if chain > DEEPEST:
                raise self.error("Too many distances in one row.", operator)
            right = self._primary(inside)
            if not _has_places(node) or not _has_places(right):
                raise self.error("A distance stands between words, phrases, or brackets with OR.", operator)
            if node and right:
                node = Near(node, right, operator.reach, operator.is_ordered)
        return node

    def _primary(self, inside: _Inside) -> Node | None:
        """A word, a phrase, a field, or a group in brackets; None for what only ranks."""
        if self.at == len(self.tokens) or self.is_at("close", *OPERATORS):
            raise self._missing()
        token = self.next()
        match token.sort:
            case "open":
                return self._bracket(token, inside)
            case "field":
                return self._field(token)
            case "word" if not inside.is_literal and not has_wildcard(token.text):
                self.plain.append(token.text)
                return None
            case _:
                return self._literal(token)

    def _bracket(self, token: Token, inside: _Inside) -> Node | None:
        if inside.depth >= DEEPEST:
            raise self.error(f"Brackets stand more than {DEEPEST} deep.", token)
        if self.is_at("close"):
            raise self.error("There is nothing in these brackets.", token)
        node = self.group(_Inside(inside.is_literal, inside.depth + 1))
        if not self.is_at("close"):
            raise self.error("This bracket is never closed.", token)
        self.next()
        return node

    def _literal(self, token: Token) -> Node:
        self._count(token)
        words = tuple(patterns(token.text))
        if not words:
            raise self.error("There is no word here to look for.", token)
        if any(is_wild(word) and len(WILD.sub("", word)) < LEAST_LETTERS for word in words):
            raise self.error(f"Beside * or ? stand at least {LEAST_LETTERS} letters.", token)
        return Literal(words, token.start)

    def _field(self, token: Token) -> Node:
        self._count(token)
        try:
            return Field(token.name, token.text, fields.read(token.name, token.text), token.start)
        except fields.BadValue as error:
            raise self.error(str(error), token) from None

    def _count(self, token: Token) -> None:
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise self.error(f"These are more than {MOST_PARTS} words, phrases and fields.", token)

    def _missing(self) -> QueryError:
        """What to say where something to look for should stand."""
        before = self.tokens[self.at - 1] if self.at else None
        if before is not None and before.sort in OPERATORS:
            said = self.text[before.start : before.end]
            return self.error(f"After {said} something to look for is missing.", before)
        if self.is_at(*OPERATORS):
            token = self.next()
            said = self.text[token.start : token.end]
            return self.error(f"Before {said} something to look for is missing.", token)
        return QueryError(NOTHING, 0, 1)

    def error(self, message: str, token: Token) -> QueryError:
        return QueryError(message, token.start, token.end)


def _joined(kind: type[And] | type[Or], parts: list[Node | None]) -> Node | None:
    """The parts that are exact, flat: one is itself, none is nothing."""
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, kind) else [part] if part else []
    return kind(tuple(flat)) if len(flat) > 1 else flat[0] if flat else None


def _has_places(node: Node | None) -> bool:
    """Whether it stands at places of the text, so that a distance can be counted."""
    match node:
        case Literal() | Near():
            return True
        case Or(parts):
            return all(map(_has_places, parts))
        case _:
            return False
