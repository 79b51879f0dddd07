"""Guesses where an answer copies, copies in part and does not, beside plain calls and the library's lookup.

What is timed begins behind the first piece of an answer, so that reading the prompt is not in it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.figure import Figure, compared
from bench.watch import Watch
from inference.generator import Message

SOURCES = Path(__file__).resolve().parent.parent / "knowledge" / "demo" / "sources"
COPIED = ("supply-agreement", "witness-statement", "notice-of-default")
WRITTEN = 60
LOOKUP = 10  # tokens that the library's prompt lookup guesses, its own default
STORIES = 3


def guessing(bench: Any, turns: int) -> Iterator[Figure]:
    whole, part = _texts(bench) * turns, [_clauses(bench, turn) for turn in range(3 * turns)]
    yield from _beside(bench, "copying", whole)
    yield from _beside(bench, "copying in part", part)
    yield _not_copying(bench, STORIES * turns)


def _texts(bench: Any) -> list[list[int]]:
    """Pages that stand there twice and begin again: even a small model goes on with them word for word."""
    found = []
    for name in COPIED:
        ids = bench.script.tokenizer((SOURCES / f"{name}.txt").read_text(encoding="utf-8"))["input_ids"]
        page = ids[400:700]
        found.append([*page, *page, *page[:40]])
    return found


def _clauses(bench: Any, turn: int) -> list[int]:
    """Clauses that begin again: the model goes on with clauses of the same kind, but other words in them."""
    text = bench.ids(300, 70 + turn)
    return [*text, *text[:120]]


def _beside(bench: Any, name: str, asked: Sequence[list[int]]) -> Iterator[Figure]:
    ours, plain, lookup = [], [], []
    for ids in asked:
        ours.append(WRITTEN * _ours(bench, ids))
        plain.append(WRITTEN * _theirs(bench, ids))
        lookup.append(WRITTEN * _theirs(bench, ids, prompt_lookup_num_tokens=LOOKUP))
    goals = (">= 3", ">= 1.3") if name == "copying" else ("", "")
    yield compared(f"generate: {name}, {WRITTEN} tokens, against plain", ours, plain, goals[0])
    yield compared(f"generate: {name}, {WRITTEN} tokens, against prompt lookup", ours, lookup, goals[1])


def _ours(bench: Any, ids: list[int]) -> float:
    """Seconds a token."""
    watch = Watch()
    watch.put(ids)
    request = bench.request(ids, 1 + WRITTEN, bench.scope())
    while (token := request.get(600)) is not None:
        watch.put(token)
    return watch.pace()


def _theirs(bench: Any, ids: list[int], **how: Any) -> float:
    watch = Watch()
    bench.generate(ids, 1 + WRITTEN, streamer=watch, **how)
    return watch.pace()


def _not_copying(bench: Any, turns: int) -> Figure:
    """The same engine with and without guesses."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(turns):
        said = f"Tell me a story about a judge and {turn} ships."
        ids = bench.script.prompt([Message("user", said)])
        for guesses in (True, False) if turn % 2 else (False, True):
            bench.engine.reader.can_draft = guesses
            taken[guesses].append(WRITTEN * _ours(bench, ids))
    bench.engine.reader.can_draft = True
    name = "generate: not copying, guesses on, against off"
    return compared(name, taken[True], taken[False], ">= 0.98")
