"""Files of tensors, each found only by who knows its name: sealed, checked, within a budget.

They are written beside and renamed; one that does not check out is deleted and counts as not there. Over the
budget the scopes give way to each other as in memory (`shares`).
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Lock, Thread

import torch
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from inference.generator import homes
from inference.generator.shares import Shares

logger = logging.getLogger(__name__)

MOST_JOBS = 4  # prompts waiting to be written; what comes beyond is not kept
NONCE = 12

Tensors = Mapping[str, Tensor]
Work = tuple[Path, Callable[[], Tensors]]
Job = tuple[str, Sequence[Work], int]  # the last: how often the scope was forgotten until then


class Files:
    def __init__(self, folder: Path, most_bytes: int, key: bytes | None = None) -> None:
        """key: 32 bytes; with it the files are encrypted."""
        self._folder = folder
        self._most = most_bytes
        self._cipher = AESGCM(key) if key else None
        self._jobs: Queue[Job] = Queue(MOST_JOBS)
        self._writing = Lock()
        self._forgets: Counter[str] = Counter()  # by scope
        self._placing = Lock()  # of a file: none is placed for a scope that was forgotten meanwhile
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def home(self, scope: str) -> Path:
        return homes.home(self._folder, scope)

    def read(self, name: Path) -> dict[str, Tensor] | None:
        try:
            tensors, told = _opened(name, self._cipher)
            if _digest(tensors) != told:
                raise ValueError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, InvalidTag):
            self.drop(name)
            return None
        return tensors

    def drop(self, name: Path) -> None:
        """What is of no use, whole as it is."""
        with suppress(OSError):
            name.unlink()

    def save(self, scope: str, works: Sequence[Work]) -> None:
        """What is not there yet, later, in a thread of its own; what is needed for the others comes first."""
        with suppress(Full):
            self._jobs.put_nowait((scope, works, self._forgets[scope]))
            # No daemon, as the engine's; it ends when everything is written.
            if self._writing.acquire(blocking=False):
                Thread(target=self._work, name="prefixes to disk").start()

    def wait(self) -> None:
        """Until everything is written."""
        with self._writing:
            pass

    def forget(self, scope: str) -> None:
        """What waits to be written for it, or is being written, is dropped with its files.

        Raises Unavailable where a file of it stays.
        """
        with self._placing:
            self._forgets[scope] += 1
            homes.forget(self._folder, scope)

    def _work(self) -> None:
        """What cannot be written is not: what is remembered is a convenience."""
        try:
            with suppress(Empty):
                while True:
                    self._try(*self._jobs.get_nowait())
        finally:
            self._writing.release()

    def _try(self, scope: str, works: Sequence[Work], forgets: int) -> None:
        try:
            self._write(scope, works, forgets)
        except Exception as error:  # noqa: BLE001  a full disk, a device without memory: the next may go
            logger.warning("What was read could not be kept on disk: %s: %s", type(error).__name__, error)

    def _write(self, scope: str, works: Sequence[Work], forgets: int) -> None:
        for name, made in works:
            if not name.exists():
                data = self._sealed(made(), name)
                with self._placing:
                    if self._forgets[scope] != forgets:
                        return
                    _place(data, name)
        touch([name for name, _ in works])
        self._make_room(scope)

    def _sealed(self, tensors: Tensors, name: Path) -> bytes:
        plain = {key: tensor.cpu().contiguous() for key, tensor in tensors.items()}
        data = save(plain, {"sha256": _digest(plain)})
        if self._cipher is None:
            return data
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, data, name.name.encode())

    def _make_room(self, scope: str) -> None:
        """For what was written for `scope`: where one gives, the files used longest ago go first."""
        homes: dict[str, list[tuple[Path, os.stat_result]]] = {}
        for path, state in sorted(_files(self._folder), key=lambda file: -file[1].st_mtime_ns):
            homes.setdefault(path.parent.name, []).append((path, state))
        shares = Shares(time.time, {home: files[0][1].st_mtime for home, files in homes.items()})
        held = {home: sum(state.st_size for _, state in files) for home, files in homes.items()}
        while sum(held.values()) > self._most:
            givers = shares.givers(self.home(scope).name, 0, held, self._most)
            home = next(giver for giver, _ in givers if homes.get(giver))
            path, state = homes[home].pop()
            held[home] -= state.st_size
            with suppress(OSError):
                path.unlink()


def touch(names: Sequence[Path]) -> None:
    """Used now, the beginning last: it goes last, for nothing behind it is of use without it."""
    now = time.time_ns()
    for at, name in enumerate(names):
        with suppress(OSError):
            os.utime(name, ns=(now - at, now - at))


def _opened(name: Path, cipher: AESGCM | None) -> tuple[dict[str, Tensor], str]:
    """The tensors and their digest. Not mapped: what the disk cannot read is then an error and no signal."""
    data = name.read_bytes()
    if cipher is not None:
        data = cipher.decrypt(data[:NONCE], data[NONCE:], name.name.encode())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return load(data), header["__metadata__"]["sha256"]


def _digest(tensors: Tensors) -> str:
    """Of names, kinds, sizes and numbers."""
    digest = sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _place(data: bytes, name: Path) -> None:
    """Whole or not at all."""
    name.parent.mkdir(exist_ok=True, mode=0o700)
    draft = name.with_suffix(f".{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(name)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("*/*"):
        with suppress(OSError):
            yield path, path.stat()
