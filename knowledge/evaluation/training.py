"""Learning the adapter: two thin matrices that move questions towards the passages that answer them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

RANK = 16
ROUNDS = 80
RATE, DECAY = 3e-3, 0.05
TEMPERATURE = 0.05
ALMOST = 0.95  # likeness of two questions that are almost the same


@dataclass(frozen=True)
class Example:
    """A question and the passages of the document that answers it."""

    group: str  # groups count alike, whatever their size
    question: NDArray[np.float32]  # (D,)
    passages: NDArray[np.float32]  # (N, D)
    answers: NDArray[np.float32]  # (N,): how much of each passage is gold, as shares that sum to 1
    words: NDArray[np.float32]  # (N,): what the words add to the score


def fit(examples: Sequence[Example], meaning: float) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """(D, RANK) and (RANK, D), by which the passages that answer stand before the others of their document.

    `meaning` is the weight that nearness in meaning has in the score.
    """
    torch.manual_seed(0)
    width = examples[0].question.shape[0]
    into = torch.zeros(width, RANK, requires_grad=True)
    out = (0.05 * torch.randn(RANK, width)).requires_grad_()
    optimizer = torch.optim.AdamW([into, out], lr=RATE, weight_decay=DECAY)
    sizes = Counter(example.group for example in examples)
    for _ in range(ROUNDS):
        optimizer.zero_grad()
        losses = [_loss(each, into, out, meaning) / sizes[each.group] for each in examples]
        (torch.stack(losses).sum() / len(sizes)).backward()  # type: ignore[no-untyped-call]  # as torch has it
        optimizer.step()
    return into.detach().numpy().astype(np.float16), out.detach().numpy().astype(np.float16)


def thinned(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Those of the vectors (N, D) that are not almost another one."""
    kept: list[int] = []
    for place, vector in enumerate(vectors):
        if not kept or float((vectors[kept] @ vector).max()) < ALMOST:
            kept.append(place)
    return vectors[kept]


def _loss(example: Example, into: torch.Tensor, out: torch.Tensor, meaning: float) -> torch.Tensor:
    question = torch.from_numpy(example.question)
    moved = torch.nn.functional.normalize(question + (question @ into) @ out, dim=0)
    scores = meaning * (torch.from_numpy(example.passages) @ moved) + torch.from_numpy(example.words)
    return -(torch.from_numpy(example.answers) * torch.log_softmax(scores / TEMPERATURE, dim=0)).sum()
