"""Products of the groups of heads."""

import torch
from torch import Tensor


def products(some: Tensor, others: Tensor) -> Tensor:
    """(G, N, K) × (G, K, M) → (G, N, M). On a CPU one by one: for all at once torch would copy views."""
    if some.device.type != "cpu":
        return some @ others
    made = some.new_empty(some.shape[0], some.shape[1], others.shape[2])
    for one, other, out in zip(some, others, made, strict=True):
        torch.mm(one, other, out=out)
    return made
