"""What has been read, on disk: it is there after a restart.

A file holds the keys and values of a block of tokens. Its name is a chained hash of the model, its precision,
the scope and all tokens up to the block's end: it is found only by who has the scope and the text.
Files are written beside and renamed; one that does not check out is deleted and counts as not there. Over the
budget the scopes give way to each other as in memory (`shares`).
"""

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Lock, Thread

import torch
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from inference.cores import submitted
from inference.generator.prefixes import Tokens
from inference.generator.segment import Segment, Shape
from inference.generator.shares import Shares

BLOCK = 128  # tokens
MOST_JOBS = 4  # prompts waiting to be written; what comes beyond is not kept
NONCE = 12
READERS = min(16, os.cpu_count() or 1)  # threads that read, check and place what is loaded

Job = tuple[str, Tokens, Sequence[Segment], int]  # the last: how often the scope was forgotten until then


class Disk:
    def __init__(
        self, folder: Path, most_bytes: int, fingerprint: str, shape: Shape, key: bytes | None = None
    ) -> None:
        """fingerprint: of model and tokenizer. key: 32 bytes; with it the files are encrypted."""
        self._folder = folder
        self._most = most_bytes
        self._root = f"{fingerprint} {shape.dtype} {BLOCK}"
        self._shape = shape
        self._cipher = AESGCM(key) if key else None
        self._jobs: Queue[Job] = Queue(MOST_JOBS)
        self._writing = Lock()
        self._forgets: Counter[str] = Counter()  # by scope
        self._placing = Lock()  # of a file: none is placed for a scope that was forgotten meanwhile
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def load(self, scope: str, tokens: Tokens, known: int) -> Segment | None:
        """What is there behind the first `known` tokens, as far as block follows block."""
        first = known // BLOCK
        names = list(takewhile(Path.exists, self._names(scope, tokens)[first:]))
        if len(names) * BLOCK <= known % BLOCK:
            return None
        whole = self._shape.empty(len(names) * BLOCK)
        with ThreadPoolExecutor(READERS) as readers:
            works = [partial(self._read_into, whole, name, at) for at, name in enumerate(names)]
            futures = [submitted(readers, work) for work in works]
            placed = (future is not None and future.result() for future in futures)
            count = BLOCK * sum(takewhile(bool, placed))
        _touch(names)
        if count <= known % BLOCK:
            return None
        segment = Segment(whole[:, :, :, known % BLOCK : count])
        return segment if segment.numbers.is_contiguous() else segment.copy()

    def _read_into(self, whole: Tensor, name: Path, at: int) -> bool:
        block = self._read(name)
        if block is not None:
            whole[:, :, :, at * BLOCK : (at + 1) * BLOCK] = block
        return block is not None

    def save(self, scope: str, tokens: Tokens, segments: Sequence[Segment]) -> None:
        """All whole blocks of `tokens`, which the segments hold: later, in a thread of its own."""
        with suppress(Full):
            self._jobs.put_nowait((scope, tokens, list(segments), self._forgets[scope]))
            # No daemon, as the engine's; it ends when everything is written.
            if self._writing.acquire(blocking=False):
                Thread(target=self._work, name="prefixes to disk").start()

    def wait(self) -> None:
        """Until everything is written."""
        with self._writing:
            pass

    def forget(self, scope: str) -> None:
        """What waits to be written for it, or is being written, is dropped with its files."""
        with self._placing:
            self._forgets[scope] += 1
            shutil.rmtree(self._home(scope), ignore_errors=True)

    def _work(self) -> None:
        try:
            with suppress(Empty, OSError):  # a full disk: what is remembered is a convenience
                while True:
                    self._write(*self._jobs.get_nowait())
        finally:  # also where a device has no memory to copy with: the next save starts another thread
            self._writing.release()

    def _write(self, scope: str, tokens: Tokens, segments: Sequence[Segment], forgets: int) -> None:
        for at, name in enumerate(self._names(scope, tokens)):
            if not name.exists():
                data = self._sealed(_rows(segments, at * BLOCK, (at + 1) * BLOCK), name)
                with self._placing:
                    if self._forgets[scope] != forgets:
                        return
                    _place(data, name)
        _touch(self._names(scope, tokens))
        self._make_room(scope)

    def _sealed(self, numbers: Tensor, name: Path) -> bytes:
        plain = numbers.cpu().contiguous()
        digest = sha256(plain.view(torch.uint8).numpy().data).hexdigest()
        data = save({"numbers": plain}, {"sha256": digest})
        if self._cipher is None:
            return data
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, data, name.name.encode())

    def _read(self, name: Path) -> Tensor | None:
        try:
            numbers, told = _opened(name, self._cipher)
            if sha256(numbers.view(torch.uint8).numpy().data).hexdigest() != told:
                raise ValueError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, InvalidTag):
            with suppress(OSError):
                name.unlink()
            return None
        return numbers if numbers.dtype == self._shape.dtype else None

    def _make_room(self, scope: str) -> None:
        """For what was written for `scope`: where one gives, the files used longest ago go first."""
        homes: dict[str, list[tuple[Path, os.stat_result]]] = {}
        for path, state in sorted(_files(self._folder), key=lambda file: -file[1].st_mtime_ns):
            homes.setdefault(path.parent.name, []).append((path, state))
        shares = Shares(time.time, {home: files[0][1].st_mtime for home, files in homes.items()})
        held = {home: sum(state.st_size for _, state in files) for home, files in homes.items()}
        while sum(held.values()) > self._most:
            givers = shares.givers(self._home(scope).name, 0, held, self._most)
            home = next(giver for giver in givers if homes.get(giver))
            path, state = homes[home].pop()
            held[home] -= state.st_size
            with suppress(OSError):
                path.unlink()

    def _names(self, scope: str, tokens: Tokens) -> list[Path]:
        """The file of each whole block."""
        home, link = self._home(scope), sha256(f"{self._root} {scope}".encode()).digest()
        names = []
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            link = sha256(link + tokens[start : start + BLOCK].tobytes()).digest()
            names.append(home / f"{link.hex()}.safetensors")
        return names

    def _home(self, scope: str) -> Path:
        return self._folder / sha256(scope.encode()).hexdigest()[:32]


def _opened(name: Path, cipher: AESGCM | None) -> tuple[Tensor, str]:
    """The numbers and their digest. Not mapped: what the disk cannot read is then an error and no signal."""
    data = name.read_bytes()
    if cipher is not None:
        data = cipher.decrypt(data[:NONCE], data[NONCE:], name.name.encode())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return load(data)["numbers"], header["__metadata__"]["sha256"]


def _touch(names: Sequence[Path]) -> None:
    """Used now, the beginning last: it goes last, for nothing behind it is of use without it."""
    now = time.time_ns()
    for at, name in enumerate(names):
        with suppress(OSError):
            os.utime(name, ns=(now - at, now - at))


def _place(data: bytes, name: Path) -> None:
    """Whole or not at all."""
    name.parent.mkdir(exist_ok=True, mode=0o700)
    draft = name.with_suffix(f".{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(name)


def _rows(segments: Sequence[Segment], start: int, stop: int) -> Tensor:
    """(L, 2, G, stop - start, D) out of segments that follow each other."""
    parts, at = [], 0
    for segment in segments:
        first, last = max(start, at), min(stop, at + len(segment))
        if first < last:
            parts.append(segment.part(first - at, last - at).numbers)
        at += len(segment)
    return torch.cat(parts, dim=3)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("*/*"):
        with suppress(OSError):
            yield path, path.stat()
