"""Stored bytes, addressed by their SHA-256 inside their matter's own folder.

Folders are kept apart by matter, so that nobody can learn by uploading what another matter holds, and so that
purging a matter is removing one folder.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings

from knowledge import files

TRANSFER = "transfer-"


class BlobTooLarge(Exception):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is larger than the limit of {limit // (1024 * 1024)} MB.")


@dataclass(frozen=True)
class Incoming:
    """Bytes that are durably on disk, but not yet in their place."""

    matter_id: UUID
    path: Path
    sha256: str
    size: int  # bytes

    def keep(self) -> None:
        """Put them in their place. Call it while the matter is locked: a deletion must not come between this
        and the row that names them.
        """
        target = path(self.matter_id, self.sha256)
        files.make_folder(target.parent)
        self.path.replace(target)
        files.sync(target.parent)


def root() -> Path:
    return Path(settings.DATA_DIR) / "blobs"


def folder(matter_id: UUID) -> Path:
    return root() / str(matter_id)


def path(matter_id: UUID, sha256: str) -> Path:
    return folder(matter_id) / sha256[:2] / sha256


@contextmanager
def incoming(matter_id: UUID, chunks: Iterable[bytes]) -> Iterator[Incoming]:
    """Write the bytes durably; what is not kept when the block ends is gone. Raises BlobTooLarge."""
    root = folder(matter_id)
    files.make_folder(root)
    with tempfile.NamedTemporaryFile(dir=root, prefix="incoming-", delete=False) as target:
        arrived = Path(target.name)
        try:
            digest, size = _copy(chunks, target, settings.MAX_FILE_BYTES)
            target.flush()
            os.fsync(target.fileno())
            yield Incoming(matter_id, arrived, digest, size)
        finally:
            arrived.unlink(missing_ok=True)


def delete(matter_id: UUID, sha256: str) -> None:
    path(matter_id, sha256).unlink(missing_ok=True)


def delete_all(matter_id: UUID) -> None:
    delete_all_in(folder(matter_id))


def delete_all_in(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def is_transfer(path: Path) -> bool:
    """Whether this file is arriving in pieces; such ones are cleared away by their own row."""
    return path.name.startswith(TRANSFER)


def _copy(
    chunks: Iterable[bytes], target: "tempfile._TemporaryFileWrapper[bytes]", limit: int
) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise BlobTooLarge(limit)
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest(), size
