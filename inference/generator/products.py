"""Products of the groups of heads."""

import torch
from torch import Tensor

# In bf16 on a CPU. Few rows over a short stretch are multiplied in fp32, casts included: half the time and
# less, and no kernel has to be made for each new length, which takes as long as all the layers' products.
FEW, SMALL = 64, 100_000  # rows, and numbers that these are multiplied with
# Else up to so many tokens one call for all groups is quicker, as a call costs 20 to 50 µs besides its work;
# beyond, torch copies what it multiplies with, and sooner where that is turned.
TURNED, STRAIGHT = 384, 2048


def products(some: Tensor, others: Tensor) -> Tensor:
    """(G, N, K) × (G, K, M) → (G, N, M). On a CPU one by one where for all at once torch would copy views."""
    if some.device.type != "cpu":
        return some @ others
    if others.dtype == torch.bfloat16 and some.shape[1] <= FEW and others.numel() <= SMALL:
        return (some.float() @ others.float()).to(some.dtype)
    if _at_once(others):
        return some @ others
    made = some.new_empty(some.shape[0], some.shape[1], others.shape[2])
    for one, other, out in zip(some, others, made, strict=True):
        torch.mm(one, other, out=out)
    return made


def _at_once(others: Tensor) -> bool:
    if others.dtype != torch.bfloat16:
        return False
    return _length(others) <= (TURNED if _is_turned(others) else STRAIGHT)


def _length(others: Tensor) -> int:
    """How many tokens: of keys, which are turned, or of values."""
    return others.shape[2] if _is_turned(others) else others.shape[1]


def _is_turned(others: Tensor) -> bool:
    return others.stride(2) != 1
