"""A small trained correction of question vectors: from how lawyers ask to how contracts say it.

A question and the clause that answers it use different words. `adapter.npz` holds two thin matrices, learned
by `manage.py train_adapter` on questions with known answers; a question q becomes q + (q into) out, of length
1 again. It belongs to the default embedder: with another one questions stay as they are. What it is worth is
told in docs/retrieval.md.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.models import Generation

FILE = Path(__file__).parent / "adapter.npz"


def adapted(question: NDArray[np.float32], generation: Generation) -> NDArray[np.float32]:
    """(D,) → (D,), both of length 1."""
    if generation.embedder_url or generation.embedder_model:
        return question
    into, out = _matrices()
    moved = question + (question @ into) @ out
    unit: NDArray[np.float32] = (moved / np.linalg.norm(moved)).astype(np.float32)
    return unit


@cache
def _matrices() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(D, R) and (R, D)"""
    with np.load(FILE) as stored:
        return stored["into"].astype(np.float32), stored["out"].astype(np.float32)
