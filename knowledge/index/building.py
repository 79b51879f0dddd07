"""A shard that is built beside the one that serves, in a child process: the engine keeps Python's interpreter
while it builds a graph. What is written meanwhile is remembered, and written into the new shard in the end.
"""

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import qdrant_edge as edge

from knowledge.index import shards
from knowledge.index.schema import IndexConfig, IndexUnavailable

BUILDER = Path(__file__).with_name("builder.py")
MOST_REMEMBERED = 50_000  # points: 3 to 5 KB each
LAST_WORDS = 500  # characters of what a child says that failed


class Build:
    """A new shard in the making, from a copy of the old one; `anew`: from the points that it has alone."""

    def __init__(self, old: Path, config: IndexConfig, *, anew: bool) -> None:
        self._old, self._config = old, config
        self._copy = shards.begin_next(old)
        self.path = shards.begin_next(self._copy) if anew else self._copy
        self._remembered: list[edge.UpdateOperation] = []
        self.points = 0  # remembered
        self._child: subprocess.Popen[str] | None = None
        self._stopped = ""
        self._is_finished = False
        self.over = Event()  # whatever became of it

    def copy(self) -> None:
        """Nobody may write meanwhile; what is written from then on is to be remembered."""
        shards.copy(self._old, self._copy)

    def remember(self, operation: edge.UpdateOperation, points: int) -> None:
        self._remembered.append(operation)
        self.points += points

    @property
    def is_full(self) -> bool:
        return self.points >= MOST_REMEMBERED

    def stop(self, reason: str) -> None:
        self._stopped = self._stopped or reason
        if self._child is not None:
            self._child.kill()

    def run(self) -> None:
        """Wait for the child. Raises IndexUnavailable where it fails or is stopped."""
        config = (self._config.dimensions, int(self._config.has_names))
        words = (BUILDER, os.getpid(), self._copy, self.path, *config)
        command = [sys.executable, "-I", *map(str, words)]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True
        ) as self._child:
            if self._stopped:
                self._child.kill()
            _, said = self._child.communicate()
        if self._stopped or self._child.returncode != 0:
            reason = self._stopped or f"Exit status {self._child.returncode}. {said[-LAST_WORDS:]}"
            raise IndexUnavailable(f"The index was not built: {reason}")

    def finish(self) -> edge.EdgeShard:
        """The new shard, with what was written meanwhile; it counts from now on, also after a crash."""
        shard = shards.opened(self.path, self._config)
        try:
            with shards.typed():
                for operation in self._remembered:
                    shard.update(operation)
                shards.sync(shards.log_of(self.path))
        except IndexUnavailable:
            shard.close()
            raise
        shards.finish(self.path)
        self._is_finished = True
        return shard

    def clear(self) -> None:
        """Remove the copy, and the new shard too unless it has taken over."""
        self.over.set()
        for path in {self._copy, self.path}:
            if not (self._is_finished and path == self.path):
                shards.discard(path)
