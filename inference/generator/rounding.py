"""Keys and values in less than half of bf16: what is lost in between is told in docs/performance.md.

Keys take 8 bits a number, scaled by the largest of their channel: some channels are always large. Values take
7 bits, scaled by the largest of their token, whose scale stands behind them in the same row. So a row of
2 · D numbers takes D + 7/8 D + 2 bytes, and a part of a stretch is a part of its rows.
"""

import torch
from torch import Tensor

# The first tokens of a prompt have keys and values many times those of all others: they are never rounded.
EXACT = 4
GROUP = 8  # numbers of 7 bits take 7 bytes; the width of a head is a multiple of it
MOST_KEY, MOST_VALUE = 127, 63
WORDS = (torch.int64, torch.int32, torch.int16, torch.uint8)


def rounded(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """(L, 2, G, T, D) → rows (L, 1, G, T, D + 7/8 D + 2) in bytes, and the keys' scale (L, 1, G, 1, D).

    Layer by layer, as the reverse, so that what is made in between stays small.
    """
    rows, across = zip(*(_rounded(layer) for layer in numbers), strict=True)
    return torch.stack(rows).unsqueeze(1), torch.stack(across).unsqueeze(1)


def _rounded(layer: Tensor) -> tuple[Tensor, Tensor]:
    """(2, G, T, D) → (G, T, bytes), (G, 1, D)"""
    keys, values = layer.float()
    across = _scale(keys.abs().amax(dim=1, keepdim=True), MOST_KEY)
    along = _scale(values.abs().amax(dim=2, keepdim=True), MOST_VALUE)
    rows = [
        _whole(keys / across.float(), MOST_KEY).to(torch.int8).view(torch.uint8),
        _packed(_whole(values / along.float(), MOST_VALUE).add_(MOST_VALUE).to(torch.uint8)),
        along.view(torch.uint8),
    ]
    return torch.cat(rows, dim=2), across


def opened(rows: Tensor, across: Tensor, dtype: torch.dtype) -> Tensor:
    """The reverse: (L, 2, G, T, D)."""
    layers, _, heads, length, _ = rows.shape
    width = across.shape[4]
    numbers = torch.empty((layers, 2, heads, length, width), dtype=dtype, device=rows.device)
    for out, row, scale in zip(numbers, rows[:, 0], across[:, 0].float(), strict=True):
        keys, values, along = row.split([width, row.shape[2] - width - 2, 2], dim=2)
        out[0] = keys.view(torch.int8).float().mul_(scale)
        whole = _unpacked(values.contiguous()).float().sub_(MOST_VALUE)
        out[1] = whole.mul_(along.contiguous().view(torch.bfloat16).float())
    return numbers


def _scale(largest: Tensor, most: int) -> Tensor:
    return (largest.clamp(min=1e-8) / most).bfloat16()


def _whole(numbers: Tensor, most: int) -> Tensor:
    return numbers.round().clamp(-most, most)


def _packed(numbers: Tensor) -> Tensor:
    """(…, D) of 7 bits → (…, 7/8 D): the bits of the last eighth are the highest ones of the other seven."""
    words, ones, _ = _words(numbers, numbers.shape[-1] // GROUP)
    parts = words.reshape(*words.shape[:-1], GROUP, -1)
    last = parts[..., -1, :]
    most = [parts[..., i, :] | ((last >> i & ones) << 7) for i in range(GROUP - 1)]
    return torch.cat(most, dim=-1).view(torch.uint8)


def _unpacked(packed: Tensor) -> Tensor:
    """The reverse."""
    words, ones, sevens = _words(packed, packed.shape[-1] // (GROUP - 1))
    parts = words.reshape(*words.shape[:-1], GROUP - 1, -1)
    last = parts[..., 0, :] >> 7 & ones
    for i in range(1, GROUP - 1):
        last |= (parts[..., i, :] >> 7 & ones) << i
    return torch.cat([words & sevens, last], dim=-1).view(torch.uint8)


def _words(numbers: Tensor, eighth: int) -> tuple[Tensor, int, int]:
    """The bytes as the widest words that make up an eighth; the lowest bit, and 7 bits, of each byte."""
    word = next(kind for kind in WORDS if eighth % kind.itemsize == 0)
    ones, sevens = (int.from_bytes([byte] * word.itemsize) for byte in (1, 127))
    return numbers.view(word), ones, sevens
