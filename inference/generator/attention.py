"""Attention over sequences of different lengths packed into one row, each with what it has read before.

The matrix products of a step run over all sequences at once; only the attention goes sequence by sequence.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from inference.device import cpu_has_amx
from inference.generator import sharing
from inference.generator.products import products
from inference.generator.segment import State

NAME = "pincite_packed"
# Up to so many queries read the parts where they lie. Not in fp32 on a CPU: there torch's kernel takes half
# the time, the copy of the parts included, from one query on. In bf16 it takes twice the time of plain
# products (five times and more for a single query), unless the processor has AMX.
FEW = 32
TILE = 64  # queries at once whose scores stay in the cache


class Pack:
    """The sequences of one step; it stands in for the library's cache."""

    is_compileable = False

    def __init__(self, states: Sequence[State], counts: Sequence[int], check: Callable[[], None]) -> None:
        """counts: new tokens of each state. check() is called in each layer and raises to stop the step."""
        starts = [sum(counts[:i]) for i in range(len(counts))]
        self._places = [(s, at, at + n) for s, at, n in zip(states, starts, counts, strict=True)]
        self._groups = sharing.groups(states, counts)
        self._masks: dict[tuple[int, int, int], Any] = {}
        self._check = check

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002  the library's signature
        return 0

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """(1, G, N, D) each. Attention takes them from the states."""
        self._check()
        for state, start, stop in self._places:
            state.write(layer, keys[0, :, start:stop], values[0, :, start:stop])
        return keys, values

    def attend(self, query: Tensor, layer: int, how: "How") -> Tensor:
        """(1, H, N, D) → (1, N, H, D)"""
        if len(self._places) == 1:
            [(state, start, stop)] = self._places
            return self._one(query[0], state.parts(layer, stop - start), how).transpose(0, 1)[None]
        mixed = torch.empty_like(query[0])
        groups = [] if how.window or how.softcap else self._groups
        for group, same in groups:
            mixed[:, self._rows(group)] = self._together(query[0], group, same, layer, how.scale)
        together = {at for group, _ in groups for at in group}
        for at, (state, start, stop) in enumerate(self._places):
            if at not in together:
                mixed[:, start:stop] = self._one(
                    query[0, :, start:stop], state.parts(layer, stop - start), how
                )
        return mixed.transpose(0, 1)[None]

    def _rows(self, group: list[int]) -> list[int]:
        return [self._places[at][1] for at in group]

    def _together(self, query: Tensor, group: list[int], same: int, layer: int, scale: float) -> Tensor:
        """Answers over the same text, one query each: (H, N, D) → (H, those of the group, D)"""
        parts = [self._places[at][0].parts(layer, 1) for at in group]
        return sharing.attend(
            query[:, self._rows(group)], parts[0][:same], [each[same:] for each in parts], scale
        )

    def _one(self, query: Tensor, parts: list[tuple[Tensor, Tensor]], how: "How") -> Tensor:
        """(H, T, D) × parts of (G, L, D) → (H, T, D)"""
        length = sum(keys.shape[1] for keys, _ in parts)
        is_few = query.shape[1] <= FEW and not (query.device.type == "cpu" and query.dtype == torch.float32)
        if is_few or how.softcap:
            return _written_out(query, parts, how, self._additive(query, length, how.window))
        keys, values = (_whole(side) for side in zip(*parts, strict=True))
        if query.device.type == "cpu" and query.dtype == torch.bfloat16 and not cpu_has_amx():
            return self._in_tiles(query, keys, values, how)
        mask, causal = self._mask(query, length, how.window)
        mixed: Tensor = scaled_dot_product_attention(
            query[None], keys[None], values[None], mask, scale=how.scale, is_causal=causal, enable_gqa=True
        )
        return mixed[0]

    def _in_tiles(self, query: Tensor, keys: Tensor, values: Tensor, how: "How") -> Tensor:
        """As _one. Each tile sees what is before its end."""
        mixed = torch.empty_like(query)
        new, length = query.shape[1], keys.shape[1]
        for start in range(0, new, TILE):
            tile = query[:, start : start + TILE]
            stop = length - new + start + tile.shape[1]
            first = max(0, stop - tile.shape[1] - how.window + 1) if how.window else 0
            seen = [(keys[:, first:stop], values[:, first:stop])]
            mask = self._additive(tile, stop - first, how.window)
            mixed[:, start : start + TILE] = _written_out(tile, seen, how, mask)
        return mixed

    def _mask(self, query: Tensor, length: int, window: int) -> tuple[Any, bool]:
        """For torch's kernels: a mask, or only that it is causal."""
        new = query.shape[1]
        if new == length and not (window and length > window):
            return None, True
        if query.device.type == "cuda" and not (window and length > window):
            return causal_lower_right(new, length), False
        narrow = self._additive(query, length, window)
        if narrow is None or narrow.shape[1] == length:
            return narrow, False
        return self._widened(narrow, length), False

    def _widened(self, mask: Tensor, length: int) -> Tensor:
        """(T, T) → (T, L): what was read before is seen."""
        key = (len(mask), length, -1)
        if key not in self._masks:
            self._masks[key] = torch.nn.functional.pad(mask, (length - len(mask), 0))
        wide: Tensor = self._masks[key]
        return wide

    def _additive(self, query: Tensor, length: int, window: int) -> Tensor | None:
        """(T, L) of 0 and -inf, or where all before is seen (T, T); None where everything is.

        The same for all layers, so it is kept.
        """
        new = query.shape[1]
        if not (window and length > window):
            if new == 1:
                return None
            length, window = new, 0
        key = (new, length, window)
        if key not in self._masks:
            rows = torch.arange(length - new, length, device=query.device)[:, None]
            columns = torch.arange(length, device=query.device)[None]
            hidden = columns > rows
            if window:
                hidden |= columns <= rows - window
            zeros = torch.zeros((new, length), dtype=query.dtype, device=query.device)
            self._masks[key] = zeros.masked_fill_(hidden, -math.inf)
        mask: Tensor = self._masks[key]
        return mask


def _whole(side: tuple[Tensor, ...]) -> Tensor:
    return side[0] if len(side) == 1 else torch.cat(side, dim=1)


class How:
    """What a layer asks of its attention."""

    def __init__(self, scaling: float, softcap: float | None, sliding_window: int | None) -> None:
        self.scale = scaling
        self.softcap = softcap
        self.window = sliding_window or 0  # 0: sees everything


def _written_out(query: Tensor, parts: list[tuple[Tensor, Tensor]], how: How, mask: Tensor | None) -> Tensor:
    """As _one. A group of heads shares its keys; parts are never copied together."""
    heads, new, width = query.shape
    groups = parts[0][0].shape[0]
    grouped = query.reshape(groups, -1, width) * how.scale  # (G, H/G · T, D)
    scores = [products(grouped, keys.transpose(1, 2)) for keys, _ in parts]
    whole = scores[0] if len(scores) == 1 else torch.cat(scores, dim=-1)
    if how.softcap:
        whole = torch.tanh(whole / how.softcap) * how.softcap
    if mask is not None:
        whole.view(groups, -1, new, whole.shape[-1])[..., -mask.shape[1] :] += mask
    weights = torch.softmax(whole, dim=-1)  # torch sums in fp32 whatever comes in
    shares = torch.split(weights, [keys.shape[1] for keys, _ in parts], dim=-1)
    mixed = products(shares[0], parts[0][1])
    for share, (_, values) in zip(shares[1:], parts[1:], strict=True):
        mixed += products(share, values)
    return mixed.view(heads, new, width)


def packed_attention(
    module: Any, query: Tensor, _keys: Tensor, _values: Tensor, _mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """In the library's form; keys and values are in the pack already."""
    how = How(kwargs["scaling"], kwargs.get("softcap"), kwargs.get("sliding_window"))
    pack: Pack = kwargs["pack"]
    return pack.attend(query, module.layer_idx, how), None


def use_packed_attention(model: PreTrainedModel) -> None:
    AttentionInterface.register(NAME, packed_attention)
    model.set_attn_implementation(NAME)
