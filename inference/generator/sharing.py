"""Attention of several answers over one text: what all of them have read is gone through once a step."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from inference.generator.products import products
from inference.generator.segment import State

Parts = Sequence[tuple[Tensor, Tensor]]  # keys and values, (G, L, D) each


def groups(states: Sequence[State], counts: Sequence[int]) -> list[tuple[list[int], int]]:
    """Which of the states, each with one new token, have read the same, and how many segments of it."""
    found: dict[int, list[int]] = {}
    for at, (state, count) in enumerate(zip(states, counts, strict=True)):
        if count == 1 and state.shared:
            found.setdefault(id(state.shared[0]), []).append(at)
    return [(group, _same([states[at] for at in group])) for group in found.values() if len(group) > 1]


def _same(states: Sequence[State]) -> int:
    """How many of their first segments are the same ones."""
    rows = zip(*(state.shared for state in states), strict=False)
    same = 0
    for row in rows:
        if any(segment is not row[0] for segment in row):
            break
        same += 1
    return same


def attend(query: Tensor, shared: Parts, own: Sequence[Parts], scale: float) -> Tensor:
    """(H, N, D), one query of each sequence × what all have read, and what each has besides → (H, N, D)."""
    heads, count, width = query.shape
    grouped = query.reshape(shared[0][0].shape[0], -1, width) * scale  # (G, H/G · N, D)
    each = grouped.view(len(grouped), -1, count, width)
    apart = _apart(each, own)  # (G, H/G, N, longest)
    scores = [products(grouped, keys.transpose(1, 2)) for keys, _ in shared]
    weights = torch.softmax(torch.cat([*scores, apart.flatten(1, 2)], dim=-1), dim=-1)
    *shares, rest = torch.split(weights, [*(keys.shape[1] for keys, _ in shared), apart.shape[-1]], dim=-1)
    mixed = products(shares[0], shared[0][1])
    for share, (_, values) in zip(shares[1:], shared[1:], strict=True):
        mixed += products(share, values)
    mixed = mixed.view_as(each)
    _add(mixed, rest.view_as(apart), own)
    return mixed.view(heads, count, width)


def _apart(each: Tensor, own: Sequence[Parts]) -> Tensor:
    """Scores of what each has read besides; -inf where others have more."""
    longest = max(sum(keys.shape[1] for keys, _ in parts) for parts in own)
    scores = each.new_full((*each.shape[:3], longest), -math.inf)
    for at, parts in enumerate(own):
        start = 0
        for keys, _ in parts:
            stop = start + keys.shape[1]
            scores[:, :, at, start:stop] = products(each[:, :, at], keys.transpose(1, 2))
            start = stop
    return scores


def _add(mixed: Tensor, weights: Tensor, own: Sequence[Parts]) -> None:
    for at, parts in enumerate(own):
        start = 0
        for _, values in parts:
            stop = start + values.shape[1]
            mixed[:, :, at] += products(weights[:, :, at, start:stop], values)
            start = stop
