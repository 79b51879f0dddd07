"""Units: the numbered stretches of a source that a citation can point at.

A unit is a sentence, or several short ones: each costs about four tokens for its number, which is 5 % of the
text at this size (13 % if every sentence had one).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from knowledge import sentences

SHORTEST = 200  # characters


@dataclass(frozen=True)
class Unit:
    id: int  # unique in a prompt
    start: int  # in the version's text
    end: int


def of(text: str, start: int, first: int) -> list[Unit]:
    """The units of a text that begins at `start` of its version, numbered from `first` on."""
    spans: list[list[int]] = []
    for sentence in sentences.split(text, start):
        if spans and spans[-1][1] - spans[-1][0] < SHORTEST:
            spans[-1][1] = sentence.end
        else:
            spans.append([sentence.start, sentence.end])
    return [Unit(number, begin, end) for number, (begin, end) in enumerate(spans, first)]


def marked(text: str, start: int, units: Sequence[Unit]) -> str:
    """The text with each unit's number in square brackets before it."""
    pieces, at = [], 0
    for unit in units:
        pieces += [text[at : unit.start - start], f"[{unit.id}] "]
        at = unit.start - start
    return "".join([*pieces, text[at:]])
