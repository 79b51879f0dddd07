"""What is remembered in 8 bits and less: how often another token becomes the likeliest.

Place by place: the same answer is fed behind the document as it was read, and behind the document rounded, so
that one other token does not make all behind it others. In fp32 the rounding is all that differs. In bf16 any
other order of sums turns near ties too: beside it stands the same document read in smaller chunks.
The documents are contracts of the evaluation data where that is at hand, else clauses made up.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from bench.figure import Figure
from bench.made_up import clauses
from bench.reading import DATA
from inference.generator import Message
from inference.generator.engine import Engine, Limits
from inference.generator.prefixes import tokens_of
from inference.generator.reader import Feed
from inference.generator.segment import Segment, State

DOCUMENTS = 20
CHARACTERS = 2400  # of each document, about 600 tokens
ANSWER = 40
KEPT = 8 << 30  # bytes: all documents stay, since none that was found is let go
QUESTIONS = ("Which law governs this?", "Who are the parties?")

Read = Sequence[Segment]
Reading = Callable[[Sequence[int]], Read]


def rounding(bench: Any) -> Iterator[Figure]:
    whole = type(bench)(torch.float32)
    rounded = _remembering(whole, Limits(rounds=True))
    yield Figure("generate: int8 cache, equal greedy tokens, fp32", _equal(whole, rounded), "", ">= 0.99")
    if (dtype := bench.model.dtype) == torch.bfloat16:
        other = _equal(bench, _remembering(bench, Limits(alone=64)))
        share = _equal(bench, _remembering(bench, Limits(rounds=True)))
        yield Figure("generate: int8 cache, equal greedy tokens, bf16", share, "", "", other, share / other)
    yield _size(bench, rounded, whole, dtype)


def _size(bench: Any, reading: Reading, whole: Any, dtype: torch.dtype) -> Figure:
    """Of 4,000 tokens, with all scales and with the tokens that are not rounded."""
    segments = reading(bench.ids(4000, 1))
    taken = sum(part.bytes for part in segments)
    exact = sum(part.bytes for part in segments if part.scale is None)
    taken -= exact * (whole.model.dtype.itemsize - 2) // whole.model.dtype.itemsize  # they would be bf16
    kib, plain = taken / 4000 / 1024, bench.engine.reader.shape.token_bytes / dtype.itemsize * 2 / 1024
    name = "generate: int8 cache, KiB a token, 4000 tokens"
    return Figure(name, kib, "KiB", "<= 0.5", baseline=plain, ratio=kib / plain)


def _equal(bench: Any, reading: Reading) -> float:
    """The share of places with the same likeliest token behind what `reading` remembers."""
    same = total = 0
    exact = _remembering(bench, Limits())
    for document in _documents():
        asked = [_prompt(bench, document, question) for question in QUESTIONS]
        shared = next(at for at, tokens in enumerate(zip(*asked, strict=False)) if len(set(tokens)) > 1)
        as_read, other = exact(asked[0][:shared]), reading(asked[0][:shared])
        scope = bench.scope()
        answers = [bench.request(ids, ANSWER, scope) for ids in asked]
        for ids, answer in zip(asked, answers, strict=True):
            fed = [*ids[shared:], *answer.tokens()[:-1]]
            one, two = (greedy(bench, part, fed) for part in (as_read, other))
            same += sum(a == b for a, b in zip(one, two, strict=True))
            total += len(one)
    return same / total


def _prompt(bench: Any, document: str, question: str) -> list[int]:
    """As an answer's prompt is laid out: the document, then the question."""
    return list(bench.script.prompt([Message("user", f"{document}\n\n{question}")]))


def _remembering(bench: Any, limits: Limits) -> Reading:
    """What an engine with these limits remembers of a document, opened."""
    engine = Engine(bench.model, frozenset(), replace(limits, cache_bytes=KEPT))

    def read(document: Sequence[int]) -> Read:
        scope = bench.scope()
        bench.ask(document, 0, scope, engine)
        known = engine.memory.prefixes.find(scope, tokens_of(document))[1]
        assert sum(map(len, known)) == len(document)
        return known

    return read


def greedy(bench: Any, read: Read, fed: list[int]) -> list[int]:
    """The likeliest token at each place of the answer."""
    reader = bench.engine.reader
    opened = [segment.opened(bench.model.dtype) for segment in read]
    [rows] = reader.step([Feed(State(reader.shape, "", None, opened), fed, ANSWER)], lambda: None)
    return rows.argmax(dim=-1).tolist()  # type: ignore[no-any-return]


def _documents() -> list[str]:
    files = sorted((DATA / "contracts" / "gold_txt").glob("*.txt"))[:DOCUMENTS]
    texts = [path.read_text(encoding="utf-8") for path in files]
    return [text[:CHARACTERS] for text in texts] or [clauses(600, 300 + n) for n in range(DOCUMENTS)]
