"""What the index holds: ids, vectors, filter fields; all of it can be made again from rows and blobs."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

DENSE = "dense"  # cosine
SPARSE = "bm25"  # term weights; the engine applies inverse document frequency
NAMES = "names"  # the same of what a document is called, at its first passage
MATTER = "matter_id"  # the tenant
BREADTH = (
    400  # points that a search through the graph keeps in view (HNSW's ef): more find more, and take longer
)
CALLED = "called_in"  # the tenant once more, at the points with names: few, so that looking there is quick
DOCUMENT = "document_id"
VERSION = "version_id"
START, END = "start", "end"  # where the passage stands in the version's text
FIELDS = (MATTER, DOCUMENT, VERSION, CALLED)


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
    has_names: bool = True  # whether documents can be found by their names: since form 2
    has_called: bool = True  # whether the points with names say so: since form 4

    def tenant(self, by: str) -> str:
        """The field by which matters are told apart in an ask of this kind."""
        return CALLED if by == NAMES and self.has_called else MATTER


@dataclass(frozen=True)
class Point:
    """A passage as it is indexed."""

    id: UUID
    dense: NDArray[np.float32]  # (D,), L2-normalised
    text: str  # what BM25 sees
    matter_id: UUID
    document_id: UUID
    version_id: UUID
    start: int = 0
    end: int = 0
    names: str = ""  # of the document; at one of its passages only

    def payload(self) -> dict[str, str | int]:
        said: dict[str, str | int] = {
            MATTER: str(self.matter_id),
            DOCUMENT: str(self.document_id),
            VERSION: str(self.version_id),
            START: self.start,
            END: self.end,
        }
        return said | {CALLED: str(self.matter_id)} if self.names else said


@dataclass(frozen=True)
class Where:
    """The filter of every query. None means all documents of the matters; an empty set matches nothing."""

    matter_ids: frozenset[UUID]
    document_ids: frozenset[UUID] | None = None

    @property
    def is_empty(self) -> bool:
        return not self.matter_ids or self.document_ids == frozenset()

    def conditions(self, tenant: str = MATTER) -> list[tuple[str, list[str]]]:
        """Field and the values it may have; all conditions must hold."""
        conditions = [(tenant, sorted(map(str, self.matter_ids)))]
        if self.document_ids is not None:
            conditions.append((DOCUMENT, sorted(map(str, self.document_ids))))
        return conditions


@dataclass(frozen=True)
class Ask:
    """One question to the index: by meaning with a vector (D,), by words or names with a text."""

    by: str  # DENSE, SPARSE or NAMES
    value: NDArray[np.float32] | str
    where: Where
    limit: int


class Hit(NamedTuple):  # a search makes hundreds of them, and a dataclass is made a third as fast
    id: UUID
    score: float  # higher is better, comparable within one ask only
    document_id: UUID
    start: int
    end: int
