"""What a query says, as a tree. Printing a tree gives a query that parses to the same tree."""

import re
from dataclasses import dataclass, field

from knowledge.query.fields import Test


@dataclass(frozen=True)
class Literal:
    """A word, or words that follow each other; in each, * and ? may stand for characters."""

    words: tuple[str, ...]
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f'"{" ".join(self.words)}"'


@dataclass(frozen=True)
class Field:
    """What is known about the document, not said in it."""

    name: str
    value: str
    test: Test = field(compare=False)
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        is_bare = re.fullmatch(r"(?!//)[^\s()\"“”„‟«»″]+", self.value)
        if is_bare:
            return f"{self.name}:{self.value}"
        sign = "=" if self.value.startswith("=") else ""
        return f'{self.name}:{sign}"{self.value.removeprefix("=")}"'


@dataclass(frozen=True)
class Near:
    """Both sides within so many words, the same sentence ("s") or paragraph ("p"); `ordered`: left first."""

    left: "Node"
    right: "Node"
    reach: int | str
    is_ordered: bool = False

    def __str__(self) -> str:
        operator = f"pre/{self.reach}" if self.is_ordered else f"/{self.reach}"
        return f"{_inner(self.left, (Literal, Near))} {operator} {_inner(self.right, (Literal,))}"


@dataclass(frozen=True)
class Not:
    part: "Node"

    def __str__(self) -> str:
        return f"NOT {_inner(self.part, (Literal, Field, Near, Not))}"


@dataclass(frozen=True)
class And:
    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " AND ".join(_inner(part, (Literal, Field, Near, Not)) for part in self.parts)


@dataclass(frozen=True)
class Or:
    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " OR ".join(_inner(part, (Literal, Field, Near, Not, And)) for part in self.parts)


Node = Literal | Field | Near | Not | And | Or


@dataclass(frozen=True)
class Query:
    """`exact` decides which documents are found, `words` rank their passages. One of them may be empty."""

    exact: Node | None
    words: str

    @property
    def parts(self) -> tuple[Node, ...]:
        """What must hold, each for itself."""
        if self.exact is None:
            return ()
        return self.exact.parts if isinstance(self.exact, And) else (self.exact,)

    def __str__(self) -> str:
        if not self.words:
            return str(self.exact)
        return " ".join([self.words, *(_inner(part, (Literal, Field)) for part in self.parts)])


def leaves(node: Node) -> list[Literal | Field]:
    """The words, phrases and fields of a tree, from left to right."""
    match node:
        case Literal() | Field():
            return [node]
        case Not(part):
            return leaves(part)
        case Near(left, right):
            return [*leaves(left), *leaves(right)]
        case And(parts) | Or(parts):
            return [leaf for part in parts for leaf in leaves(part)]


def is_text(node: Node) -> bool:
    """Whether only words of the text decide, with nothing excluded."""
    match node:
        case Literal() | Near():
            return True
        case And(parts) | Or(parts):
            return all(map(is_text, parts))
        case Field() | Not():
            return False


def _inner(node: Node, bare: tuple[type, ...]) -> str:
    return str(node) if isinstance(node, bare) else f"({node})"
