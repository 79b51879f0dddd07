"""Where a span of the official text stands in the text that was read from the file.

A PDF or a scan does not give back the official text character by character. Both texts are cut into words;
runs of four words that occur once in each are anchors, and what stands between anchors is found from them.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable

WORD = re.compile(r"[^\W_]+")
RUN = 4  # words
REACH = 40  # words from the nearest anchor; farther away a place is a guess

Places = list[tuple[int, int]]  # spans of the words


def aligned(official: str, read: str) -> Callable[[int, int], tuple[int, int] | None]:
    """A function from a span of the official text to that of the text read; None where it is not there."""
    if official == read:
        return lambda start, end: (start, end)
    ours, theirs = _words(official), _words(read)
    anchors = _increasing(_common(_runs(official, ours), _runs(read, theirs)))
    firsts = [place for place, _ in anchors]

    def place(start: int, end: int) -> tuple[int, int] | None:
        first = bisect_left(ours, start, key=lambda word: word[0])
        last = bisect_right(ours, end, key=lambda word: word[1]) - 1
        left, right = _near(anchors, firsts, first), _near(anchors, firsts, last)
        if left is None or right is None or not 0 <= left <= right < len(theirs):
            return None
        return theirs[left][0], theirs[right][1]

    return place


def _words(text: str) -> Places:
    return [found.span() for found in WORD.finditer(text)]


def _runs(text: str, places: Places) -> dict[tuple[str, ...], int]:
    """Runs of words that occur once, with the number of their first word."""
    words = [text[start:end].lower() for start, end in places]
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    counts = Counter(runs)
    return {run: place for place, run in enumerate(runs) if counts[run] == 1}


def _common(ours: dict[tuple[str, ...], int], theirs: dict[tuple[str, ...], int]) -> list[tuple[int, int]]:
    return [(place, theirs[run]) for run, place in ours.items() if run in theirs]


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of the pairs, ordered by the first number, in which the second one rises too."""
    ends: list[int] = []  # the smallest second number that a rising part of each length ends with
    holders: list[int] = []
    before: list[int] = []
    for place, (_, second) in enumerate(pairs):
        length = bisect_left(ends, second)
        ends[length : length + 1] = [second]
        holders[length : length + 1] = [place]
        before.append(holders[length - 1] if length else -1)
    chain: list[tuple[int, int]] = []
    at = holders[-1] if holders else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _near(anchors: list[tuple[int, int]], firsts: list[int], word: int) -> int | None:
    """The word of the text read that stands for this word of the official text."""
    at = bisect_right(firsts, word)
    nearest = min(anchors[max(0, at - 1) : at + 1], key=lambda pair: abs(pair[0] - word), default=None)
    if nearest is None or abs(nearest[0] - word) > REACH + RUN:
        return None
    return nearest[1] + word - nearest[0]
