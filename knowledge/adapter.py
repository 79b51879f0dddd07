"""A small trained correction of question vectors: from how lawyers ask to how contracts say it.

A question and the clause that answers it use different words. `adapter.npz` holds two thin matrices, learned
by `manage.py train_adapter` on questions with known answers: a question q becomes q + (q into) out, of length
1 again. A question unlike all that were learned from stays as it is, and so does every one where another
embedder than the default is configured. What it is worth is told in docs/retrieval.md.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.models import Generation

FILE = Path(__file__).parent / "adapter.npz"
# Likeness to the nearest question learned from: up to the first nothing is corrected, from the second all.
STRANGE, FAMILIAR = 0.5, 0.7

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Learned:
    into: Matrix  # (D, R)
    out: Matrix  # (R, D)
    known: Matrix  # (K, D): vectors of the questions learned from


def adapted(question: Matrix, generation: Generation) -> Matrix:
    """(D,) → (D,), both of length 1."""
    if generation.embedder_url or generation.embedder_model:
        return question
    learned = _learned()
    likeness = float((learned.known @ question).max())
    share = min(1.0, max(0.0, (likeness - STRANGE) / (FAMILIAR - STRANGE)))
    moved = question + share * ((question @ learned.into) @ learned.out)
    unit: Matrix = (moved / np.linalg.norm(moved)).astype(np.float32)
    return unit


@cache
def _learned() -> Learned:
    with np.load(FILE) as stored:
        return Learned(*(stored[name].astype(np.float32) for name in ("into", "out", "known")))
