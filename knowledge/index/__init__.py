"""The vector index behind one small interface: embedded (Qdrant Edge) or a Qdrant server, with one schema."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

from knowledge.index.schema import (
    DENSE,
    NAMES,
    SPARSE,
    Ask,
    Hit,
    IndexBroken,
    IndexConfig,
    IndexUnavailable,
    Point,
    Where,
)

__all__ = [
    "DENSE",
    "NAMES",
    "SPARSE",
    "Ask",
    "Hit",
    "Index",
    "IndexBroken",
    "IndexConfig",
    "IndexUnavailable",
    "Point",
    "Where",
    "open_index",
    "remove",
]


class Index(Protocol):
    """Every method may raise IndexUnavailable. Nothing is returned from outside `where`; an empty `where`
    costs no call to the engine.
    """

    def upsert(self, points: Sequence[Point]) -> None:
        """Store points; a point with a known id replaces the old one."""

    def delete_version(self, version_id: UUID) -> None: ...

    def delete_document(self, document_id: UUID) -> None: ...

    def ask(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        """The hits of each ask, best first; all in one call to the engine."""

    def points(self) -> Iterator[tuple[UUID, UUID]]:
        """Every point with the version it belongs to, whoever's it is; for comparing with the rows alone."""

    def warm(self) -> None:
        """Read what the first questions would wait for."""

    def delete_points(self, ids: Sequence[UUID]) -> None: ...

    def is_empty(self) -> bool: ...

    def is_lost(self) -> bool:
        """Whether what was stored has been taken away under us."""

    def count(self, where: Where) -> int: ...

    def ids(self, where: Where) -> Iterator[UUID]: ...

    def compact(self) -> None:
        """Leave nothing of deleted points on the disk, as far as that is ours."""

    def flush(self) -> None:
        """Return when everything written so far survives a crash."""

    def close(self) -> None: ...


def open_index(config: IndexConfig) -> Index:
    """The index that the configuration names; made if it does not exist."""
    if config.url:
        from knowledge.index.server import ServerIndex, connect

        return ServerIndex(connect(config), config)
    from knowledge.index.edge import EdgeIndex

    return EdgeIndex(config)


def remove(config: IndexConfig) -> None:
    """Delete what is stored under this configuration; it must not be open."""
    if config.url:
        from knowledge.index.server import connect

        connect(config).delete_collection(config.collection)
    else:
        shutil.rmtree(config.path, ignore_errors=True)
