"""The folders of an embedded index: one for each shard, of which the newest serves. One process owns them."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import qdrant_edge as edge

from knowledge.index.schema import (
    DENSE,
    FIELDS,
    MATTER,
    NAMES,
    SPARSE,
    IndexBroken,
    IndexConfig,
    IndexUnavailable,
)

UNFINISHED = ".making"


def own(path: Path) -> IO[str]:
    """The lock of the index. A second process that opens it is told why not."""
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise IndexUnavailable(
            "Another process has the index open; it takes one at a time. Is `manage.py serve` running?"
        ) from None
    return handle


def newest(root: Path) -> Path:
    """The shard that took over last; what a crash left of an unfinished copy, or of an old shard, goes."""
    found = sorted((path for path in root.glob("shard*") if not path.name.endswith(UNFINISHED)), key=number)
    last = found[-1] if found else root / "shard"
    for path in root.glob("shard*"):
        if path != last:
            shutil.rmtree(path)
    return last


def number(path: Path) -> int:
    return int(path.name.partition("-")[2] or 0)


def opened(path: Path, asked_for: IndexConfig) -> edge.EdgeShard:
    """The shard in this folder; made if there is none."""
    sparse = (SPARSE, NAMES) if asked_for.has_names else (SPARSE,)
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=asked_for.dimensions, distance=edge.Distance.Cosine)},
        sparse_vectors={name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) for name in sparse},
    )
    if path.exists():
        try:
            return edge.EdgeShard.load(str(path), config)
        except Exception as error:  # the bindings have no exception class of their own
            raise IndexBroken(f"The index cannot be opened: {error}") from error
    with typed():
        shard = edge.EdgeShard.create(str(path), config)
        for field in FIELDS:
            schema = edge.KeywordIndexParams(is_tenant=field == MATTER)
            shard.update(edge.UpdateOperation.create_field_index(field, schema))
        shard.flush()
        return shard


def log_of(path: Path) -> list[int]:
    """What to sync so that all that was written to this shard is on the disk. Nobody may write meanwhile.

    What the engine makes in the background may come and go: it holds nothing yet.
    """
    folder, found = path / "wal", []
    for file in (folder, *folder.iterdir()):
        with suppress(FileNotFoundError):
            found.append(os.open(file, os.O_RDONLY))
    return found


def sync(descriptors: Sequence[int]) -> None:
    """Wait until these are on the disk; they are closed then. Other threads go on meanwhile."""
    try:
        for descriptor in descriptors:
            os.fsync(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@contextmanager
def typed() -> Iterator[None]:
    """The engine raises bare exceptions of its own making; they become ours."""
    try:
        yield
    except IndexUnavailable:
        raise
    except Exception as error:  # the bindings have no exception class of their own
        raise IndexUnavailable(f"The index failed: {error}") from error
