"""Exact search as its definition reads: slow, on lists of words. The engine is compared with it."""

import fnmatch
import re
from dataclasses import dataclass

from knowledge.query.tree import And, Field, Literal, Near, Node, Not, Or
from knowledge.query.words import words


@dataclass(frozen=True)
class Text:
    """The words of a text, with the number of the sentence and the paragraph of each."""

    words: list[str]
    sentences: list[int]
    paragraphs: list[int]


def read(text: str) -> Text:
    """Of a text in which sentences end with “. ” or an empty line, and paragraphs with an empty line."""
    found, sentences, paragraphs, sentence = [], [], [], 0
    for number, paragraph in enumerate(text.split("\n\n")):
        for each in re.split(r"(?<=\.) ", paragraph):
            these = [word.text for word in words(each)]
            found += these
            sentences += [sentence] * len(these)
            paragraphs += [number] * len(these)
            sentence += 1
    return Text(found, sentences, paragraphs)


def places(node: Node, text: Text) -> set[tuple[int, int]] | None:
    """First and last word of each place; None: the text does not fulfil the query."""
    if isinstance(node, Not):
        return set() if places(node.part, text) is None else None
    if isinstance(node, And):
        found = [places(part, text) for part in node.parts]
        return None if any(each is None for each in found) else set().union(*found)
    if isinstance(node, Or):
        known = [found for part in node.parts if (found := places(part, text)) is not None]
        return set().union(*known) if known else None
    assert not isinstance(node, Field)
    return (literal(node, text) if isinstance(node, Literal) else near(node, text)) or None


def literal(node: Literal, text: Text) -> set[tuple[int, int]]:
    size = len(node.words)
    return {
        (at, at + size - 1)
        for at in range(len(text.words) - size + 1)
        if all(fnmatch.fnmatchcase(text.words[at + offset], word) for offset, word in enumerate(node.words))
    }


def near(node: Near, text: Text) -> set[tuple[int, int]]:
    found = set()
    for left in places(node.left, text) or ():
        for right in places(node.right, text) or ():
            if is_near(left, right, node, text) or (not node.is_ordered and is_near(right, left, node, text)):
                found |= {left, right}
    return found


def is_near(first: tuple[int, int], then: tuple[int, int], node: Near, text: Text) -> bool:
    if then[0] <= first[1]:
        return False
    if isinstance(node.reach, int):
        return then[0] - first[1] <= node.reach
    units = text.sentences if node.reach == "s" else text.paragraphs
    return units[first[0]] == units[then[0]]
