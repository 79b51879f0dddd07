"""Where the points of the embedded index stand: kept in memory, for reading it takes as long as finding them.

These are facts of points and say nothing of who may read them: only what a filtered query found is looked up.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from knowledge.index.schema import DOCUMENT, END, START, Hit, Point

Place = tuple[UUID, int, int]  # document, start, end
MOST = 200_000  # points, about 50 MB; beyond them the oldest quarter is forgotten
SHOWN = [DOCUMENT, START, END]


class Places:
    """Thread-safe. A point's place is that of its passage, which never moves."""

    def __init__(self) -> None:
        self._known: dict[int, Place] = {}  # by id as a number, which is hashed ten times as fast as a UUID
        self._keeping = Lock()

    def keep(self, points: Iterable[Point]) -> None:
        self._keep({point.id.int: (point.document_id, point.start, point.end) for point in points})

    def learn(self, records: Iterable[edge.Record]) -> dict[int, Place]:
        learned = dict(_places(records))
        self._keep(learned)
        return learned

    def hits(self, shard: edge.EdgeShard, answers: Sequence[Sequence[edge.ScoredPoint]]) -> list[list[Hit]]:
        """The hits of each answer; what was deleted a moment ago is not among them."""
        found = [[(_uuid(point.id), point.score) for point in answer] for answer in answers]
        known = self._known
        new = {str(pk) for answer in found for pk, _ in answer if pk.int not in known}
        learned = self.learn(shard.retrieve(list(new), SHOWN, with_vector=False)) if new else {}
        return [
            [
                Hit(pk, score, *place)
                for pk, score in answer
                if (place := known.get(pk.int) or learned.get(pk.int))
            ]
            for answer in found
        ]

    def _keep(self, places: dict[int, Place]) -> None:
        with self._keeping:
            if len(self._known) + len(places) > MOST:
                # Another one: who reads the old one goes on.
                self._known = dict(islice(self._known.items(), MOST // 4, None))
            self._known.update(places)


def _places(records: Iterable[edge.Record]) -> Iterator[tuple[int, Place]]:
    """Many are of the same document, whose id is read once."""
    documents: dict[str, UUID] = {}
    for record in records:
        said: dict[str, Any] = record.payload or {}
        name = said[DOCUMENT]
        document = documents.get(name) or documents.setdefault(name, UUID(name))
        yield _uuid(record.id).int, (document, said.get(START, 0), said.get(END, 0))


def _uuid(pk: UUID | int | str) -> UUID:
    return pk if isinstance(pk, UUID) else UUID(str(pk))
