"""Files and folders that are still there after a power cut.

Syncing a file writes its bytes, not its name: that stands in its folder, which is synced too.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def sync(folder: Path) -> None:
    """Write down durably which names stand in this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """This folder, and those above it that are missing."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def kept(path: Path, made: Callable[[], bytes]) -> bytes:
    """What is in this file; made now, for its owner's eyes only, where there is none or an empty one."""
    if not path.exists() or path.stat().st_size == 0:
        _write(path, made())
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing; of two that write at once the first one's stays."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}-") as new:
        new.write(content)
        new.flush()
        os.fsync(new.fileno())
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        with suppress(FileExistsError):
            os.link(new.name, path)
    sync(path.parent)
