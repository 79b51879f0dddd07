"""Keys and values of a stretch of tokens: what the model remembers of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.generator import rounding


@dataclass(frozen=True)
class Shape:
    """What one token takes: `layers` × keys and values × `heads` × `width` numbers."""

    layers: int
    heads: int  # of keys and values
    width: int
    dtype: torch.dtype
    device: torch.device

    @property
    def token_bytes(self) -> int:
        return self.layers * 2 * self.heads * self.width * self.dtype.itemsize

    def empty(self, rows: int) -> Tensor:
        """(L, 2, G, T, D), not filled. On a CPU untouched rows take no memory."""
        return torch.empty(
            (self.layers, 2, self.heads, rows, self.width), dtype=self.dtype, device=self.device
        )


def shape_of(model: PreTrainedModel) -> Shape:
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(config.num_hidden_layers, heads, width, model.dtype, model.device)


def moved(numbers: Tensor, device: torch.device) -> Tensor:
    """A copy there, without gaps; from CUDA to the machine's memory, in pages that are not swapped out."""
    there = numbers.to(device, copy=True, memory_format=torch.contiguous_format)
    return there.pin_memory() if numbers.is_cuda and device.type == "cpu" else there


class Segment:
    """Never changed once made. A part of it is a view: the whole is freed when its last part is."""

    def __init__(self, numbers: Tensor, scale: Tensor | None = None) -> None:
        self.numbers = numbers  # (L, 2, G, T, D); of a rounded one its rows, (L, 1, G, T, bytes)
        self.scale = scale  # (L, 1, G, 1, D) of the keys, of a rounded one
        self._layers: list[tuple[Tensor, Tensor]] | None = None

    def __len__(self) -> int:
        return int(self.numbers.shape[3])

    @property
    def bytes(self) -> int:
        """What its tokens take, with the keys' scale: its parts share it, and each counts all of it."""
        return sum(part.nbytes for part in (self.numbers, self.scale) if part is not None)

    def part(self, start: int, stop: int) -> "Segment":
        return Segment(self.numbers[:, :, :, start:stop], self.scale)

    def copy(self) -> "Segment":
        """With memory of its own."""
        return Segment(self.numbers.clone(memory_format=torch.contiguous_format), self.scale)

    def moved(self, device: torch.device) -> "Segment":
        """A copy there; from CUDA to the machine's memory, in pages that are not swapped out."""
        return Segment(moved(self.numbers, device), None if self.scale is None else self.scale.to(device))

    def rounded(self) -> "Segment":
        """In less than half of bf16."""
        return Segment(*rounding.rounded(self.numbers))

    def opened(self, dtype: torch.dtype) -> "Segment":
        """As it is computed with."""
        if self.scale is None:
            return self
        return Segment(rounding.opened(self.numbers, self.scale, dtype))

    def layer(self, index: int) -> tuple[Tensor, Tensor]:
        """Keys and values, (G, T, D) each."""
        if self._layers is None:
            self._layers = [(keys, values) for keys, values in self.numbers.unbind(0)]
        return self._layers[index]


class State:
    """What one sequence has read: segments that others may share, then rows of its own."""

    stops: Sequence[int] = ()  # it can be cut anywhere, so its reading need not stop

    def __init__(self, shape: Shape, scope: str, node: Any, shared: Sequence[Segment]) -> None:
        self._shape = shape
        self.scope = scope
        self.node = node  # of the trie, pinned: what it shares
        self.shared = list(shared)
        self.before = sum(len(segment) for segment in shared)
        self.filled = 0  # rows of its own that hold
        self.make_room(0)

    def make_room(self, rows: int) -> None:
        """For rows of its own, of which none holds yet."""
        self._own = self._shape.empty(rows)
        self._layers = [(keys, values) for keys, values in self._own.unbind(0)]

    def expect(self, new: int) -> None:
        """Room for so many new rows; it grows by doubling."""
        room = int(self._own.shape[3])
        if self.filled + new > room:
            held = self._own[:, :, :, : self.filled]
            self.make_room(max(self.filled + new, 2 * room))
            self._own[:, :, :, : self.filled] = held

    def __len__(self) -> int:
        return self.before + self.filled

    def cut(self, length: int) -> None:
        """Only so much holds; what was fed behind it is overwritten by the next."""
        self.filled = length - self.before

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """(G, T, D) each, behind what holds; they hold once `filled` says so."""
        stop = self.filled + keys.shape[1]
        own_keys, own_values = self._layers[layer]
        own_keys[:, self.filled : stop] = keys
        own_values[:, self.filled : stop] = values

    def parts(self, layer: int, new: int) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of all that was read and of `new` rows just written, in order."""
        own_keys, own_values = self._layers[layer]
        stop = self.filled + new
        own = (own_keys[:, :stop], own_values[:, :stop])
        return [*(segment.layer(layer) for segment in self.shared), own]

    def seal(self, room: int) -> Segment:
        """The rows of its own become a segment that others can share; `room` new rows follow."""
        segment = Segment(self._own[:, :, :, : self.filled])
        self.make_room(room)  # first: where there is no memory for it, all stays as it is
        self.shared.append(segment)
        self.before += self.filled
        self.filled = 0
        return segment

    def own(self) -> Segment:
        """A copy of the rows of its own."""
        return Segment(self._own[:, :, :, : self.filled]).copy()
