"""What has been read, on disk: it is there after a restart.

A file holds the keys and values of a block of tokens. Its name is a chained hash of the model, its precision,
the scope and all tokens up to the block's end: it is found only by who has the scope and the text.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import takewhile
from pathlib import Path

import torch
from torch import Tensor

from inference.cores import submitted
from inference.generator.files import Files, touch
from inference.generator.prefixes import P, Tokens
from inference.generator.segment import Segment, Shape

BLOCK = 128  # tokens
READERS = min(16, os.cpu_count() or 1)  # threads that read, check and place what is loaded


@dataclass(frozen=True)
class Place:
    """Where an engine keeps what it has read."""

    folder: Path
    most_bytes: int
    fingerprint: str  # of model and tokenizer
    key: bytes | None = None  # 32 bytes; with it the files are encrypted


class Disk:
    def __init__(self, place: Place, shape: Shape) -> None:
        self._files = Files(place.folder, place.most_bytes, place.key)
        self._root = f"{place.fingerprint} {shape.dtype} {BLOCK}"
        self._shape = shape

    def load(self, scope: str, tokens: Tokens, known: int) -> Segment | None:
        """What is there behind the first `known` tokens, as far as block follows block."""
        first = known // BLOCK
        every = self._names(scope, tokens)
        before, names = every[:first], list(takewhile(Path.exists, every[first:]))
        if len(names) * BLOCK <= known % BLOCK:
            return None
        whole = self._shape.empty(len(names) * BLOCK)
        with ThreadPoolExecutor(READERS) as readers:
            works = [partial(self._read_into, whole, name, at) for at, name in enumerate(names)]
            futures = [submitted(readers, work) for work in works]
            placed = (future is not None and future.result() for future in futures)
            count = BLOCK * sum(takewhile(bool, placed))
        touch([*before, *names])
        if count <= known % BLOCK:
            return None
        segment = Segment(whole[:, :, :, known % BLOCK : count])
        return segment if segment.numbers.is_contiguous() else segment.copy()

    def _read_into(self, whole: Tensor, name: Path, at: int) -> bool:
        file, there = self._files.read(name), whole[:, :, :, at * BLOCK : (at + 1) * BLOCK]
        if file is None:
            return False
        block = file.get("numbers")
        if block is None or block.dtype != there.dtype or block.shape != there.shape:
            self._files.drop(name)
            return False
        there.copy_(block)
        return True

    def save(self, scope: str, tokens: Tokens, segments: Sequence[Segment]) -> None:
        """All whole blocks of `tokens`, which the segments hold: later, in a thread of its own."""
        held = list(segments)
        names = enumerate(self._names(scope, tokens))
        self._files.save(scope, [(name, partial(_block, held, at * BLOCK)) for at, name in names])

    def wait(self) -> None:
        """Until everything is written."""
        self._files.wait()

    def forget(self, scope: str) -> None:
        """What waits to be written for it, or is being written, is dropped with its files."""
        self._files.forget(scope)

    def _names(self, scope: str, tokens: Tokens) -> list[Path]:
        """The file of each whole block."""
        home = self._files.home(scope)
        return [home / f"{link.hex()}.safetensors" for link in links(f"{self._root} {scope}", tokens)][1:]


def links(root: str, tokens: Tokens) -> Iterator[bytes]:
    """A hash of the root, then of it and each further whole block."""
    link = sha256(root.encode()).digest()
    yield link
    for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
        link = sha256(link + tokens[start : start + BLOCK].tobytes()).digest()
        yield link


def _block(segments: Sequence[Segment], start: int) -> dict[str, Tensor]:
    """(L, 2, G, BLOCK, D) out of segments that follow each other."""
    return {"numbers": torch.cat([part.numbers.cpu() for part in cut(segments, start, start + BLOCK)], dim=3)}


def cut(pieces: Sequence[P], start: int, stop: int) -> Iterator[P]:
    """Parts of these, which follow each other: from one token to another."""
    at = 0
    for piece in pieces:
        first, last = max(start, at), min(stop, at + len(piece))
        if first < last:
            yield piece.part(first - at, last - at)
        at += len(piece)
