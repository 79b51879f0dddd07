"""The folders of an embedded index: one for each shard, of which the newest serves. One process owns them.

A shard that is not complete yet has a file beside it that says so.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

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
EMPTY = bytes(1 << 18)
PAGE = 1_000


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
    """The complete shard that took over last."""
    folders = (path for path in root.glob("shard*") if path.is_dir() and path.suffix != UNFINISHED)
    complete = (path for path in folders if not _note(path).exists())
    return max(complete, key=_number, default=root / "shard")


def remove_others(path: Path) -> None:
    """What this shard has replaced, and what was never complete. Raises OSError where something stays."""
    for other in path.parent.glob("shard*"):
        if other.is_dir() and other != path:
            discard(other)
    for left in path.parent.glob(f"shard*{UNFINISHED}"):
        left.unlink()


def begin_next(path: Path) -> Path:
    """The folder for the shard that comes after this one, not made yet, noted as unfinished."""
    following = path.with_name(f"shard-{_number(path) + 1}")
    discard(following)
    _note(following).touch()
    sync([os.open(path.parent, os.O_RDONLY)])  # no part of the shard may be on the disk before its note is
    return following


def finish(path: Path) -> None:
    """From now on this shard is complete, and newer than all before it."""
    _note(path).unlink()
    sync([os.open(path.parent, os.O_RDONLY)])


def discard(path: Path) -> None:
    """The note goes last: half a shard without it would count as complete."""
    if path.exists():
        shutil.rmtree(path)
    _note(path).unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """The files of a shard as they are, to which nobody may write meanwhile; what is empty takes no place."""
    shutil.copytree(source, target, copy_function=_copy)


def _copy(source: str, target: str) -> None:
    with Path(source).open("rb") as old, Path(target).open("wb") as new:
        while piece := old.read(len(EMPTY)):
            if piece == EMPTY[: len(piece)]:
                new.seek(len(piece), os.SEEK_CUR)
            else:
                new.write(piece)
        new.truncate()


def _note(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


def _number(path: Path) -> int:
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


def all_of(path: Path) -> Iterator[int]:
    """Every file and folder of a shard, one after another, to be synced."""
    yield os.open(path, os.O_RDONLY)
    for file in path.rglob("*"):
        yield os.open(file, os.O_RDONLY)


def sync(descriptors: Iterable[int]) -> None:
    """Wait until each of these is on the disk, and close it. Other threads go on meanwhile."""
    rest = iter(descriptors)
    try:
        for descriptor in rest:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    finally:
        for descriptor in rest:  # after one that failed
            os.close(descriptor)


def records(
    serving: Callable[[], edge.EdgeShard],
    allowed: edge.Filter | None = None,
    *,
    with_payload: bool | list[str] = False,
    with_vector: bool = False,
) -> Iterator[list[edge.Record]]:
    """All points that the filter allows, page by page, each from the shard that serves then."""
    offset: Any = None
    while True:
        request = edge.ScrollRequest(
            offset=offset, limit=PAGE, filter=allowed, with_payload=with_payload, with_vector=with_vector
        )
        with typed():
            found, offset = serving().scroll(request)
        yield found
        if offset is None:
            return


@contextmanager
def typed() -> Iterator[None]:
    """The engine raises bare exceptions of its own making; they become ours."""
    try:
        yield
    except IndexUnavailable:
        raise
    except Exception as error:  # the bindings have no exception class of their own
        raise IndexUnavailable(f"The index failed: {error}") from error
