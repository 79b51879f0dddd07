"""What the index holds: ids, vectors, filter fields; all of it can be made again from rows and blobs."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

DENSE = "dense"  # cosine
SPARSE = "bm25"  # term weights; the engine applies inverse document frequency
MATTER = "matter_id"  # the tenant
DOCUMENT = "document_id"
VERSION = "version_id"
FIELDS = (MATTER, DOCUMENT, VERSION)

# Each half of a hybrid query brings this many candidates per asked result, and at least so many.
CANDIDATES_PER_RESULT = 4
LEAST_CANDIDATES = 50


class IndexUnavailable(Exception):
    """The index cannot be reached or opened; the message is for people. Trying again later may help."""


class IndexBroken(IndexUnavailable):
    """What is stored cannot be opened any more; it has to be built again."""


@dataclass(frozen=True)
class IndexConfig:
    path: Path  # of the embedded shard
    dimensions: int
    url: str = ""  # of a Qdrant server; "" means embedded
    api_key: str = ""
    collection: str = "pincite"


@dataclass(frozen=True)
class Point:
    """A passage as it is indexed."""

    id: UUID
    dense: NDArray[np.float32]  # (D,), L2-normalised
    text: str  # what BM25 sees
    matter_id: UUID
    document_id: UUID
    version_id: UUID

    def payload(self) -> dict[str, str]:
        return {MATTER: str(self.matter_id), DOCUMENT: str(self.document_id), VERSION: str(self.version_id)}


@dataclass(frozen=True)
class Where:
    """The filter of every query. None means all documents of the matters; an empty set matches nothing."""

    matter_ids: frozenset[UUID]
    document_ids: frozenset[UUID] | None = None

    @property
    def is_empty(self) -> bool:
        return not self.matter_ids or self.document_ids == frozenset()

    def conditions(self) -> list[tuple[str, list[str]]]:
        """Field and the values it may have; all conditions must hold."""
        conditions = [(MATTER, sorted(map(str, self.matter_ids)))]
        if self.document_ids is not None:
            conditions.append((DOCUMENT, sorted(map(str, self.document_ids))))
        return conditions


@dataclass(frozen=True)
class Hit:
    id: UUID
    score: float  # fused; higher is better, comparable within one query only


def candidates(limit: int) -> int:
    """How many candidates each half of a hybrid query brings."""
    return max(LEAST_CANDIDATES, limit * CANDIDATES_PER_RESULT)
