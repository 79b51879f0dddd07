"""The child process that builds a shard, `python -I builder.py PARENT COPY SHARD DIMENSIONS NAMES`.

COPY is a copy of the shard that serves. Where SHARD is another folder, what is not deleted is poured into a
new shard there. It ends with the process that started it, and leaves the processors to that one.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import qdrant_edge as edge

from knowledge.index import IndexConfig, shards

PR_SET_PDEATHSIG = 1
NICE = 9  # as the threads with which the engine builds a graph


def main(parent: str, copy: str, shard: str, dimensions: str, names: str) -> None:
    _end_with(int(parent))
    os.nice(NICE)
    config = IndexConfig(Path(shard).parent, int(dimensions), has_names=bool(int(names)))
    built = shards.opened(Path(shard), config)
    if shard != copy:
        _pour(shards.opened(Path(copy), config), built)
        shards.discard(Path(copy))
    built.optimize()
    built.flush()
    built.close()
    shards.sync(shards.all_of(Path(shard)))  # what was copied and not touched, the engine does not sync


def _pour(old: edge.EdgeShard, new: edge.EdgeShard) -> None:
    for found in shards.records(lambda: old, with_payload=True, with_vector=True):
        points = [edge.Point(id=row.id, vector=row.vector or {}, payload=row.payload) for row in found]
        new.update(edge.UpdateOperation.upsert_points(points))
    old.close()


def _end_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before it could be watched
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
