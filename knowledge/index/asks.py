"""Asks made ready for an engine."""

from collections.abc import Iterator, Sequence

import numpy as np

from knowledge.index import bm25
from knowledge.index.schema import NAMES, Ask

Vector = list[float] | tuple[list[int], list[float]]  # dense, or term ids and weights


def ready(asks: Sequence[Ask], *, has_names: bool) -> Iterator[tuple[int, Ask, Vector]]:
    """Place, ask and vector of those that can find anything: the others cost no call to the engine."""
    for place, ask in enumerate(asks):
        if ask.limit < 1 or ask.where.is_empty or (ask.by == NAMES and not has_names):
            continue
        if isinstance(ask.value, np.ndarray):
            yield place, ask, ask.value.tolist()
            continue
        indices, values = bm25.query(ask.value)
        if indices:
            yield place, ask, (indices, values)
