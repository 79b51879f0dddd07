"""How the library's cache of a model is laid out: what grows with each token, and what keeps its size.

Keys and values of full attention grow; they are never changed in place, so views of them can be shared. The
states of convolutions and recurrences keep their size and are changed in place, so they are copied; and so is
what a sliding window holds. Neither can be cut back to fewer tokens.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import (
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)

from inference.errors import ModelMissing
from inference.generator.segment import moved

GROWS = (DynamicLayer, LinearAttentionAndFullAttentionLayer)
SLIDES = (DynamicSlidingWindowLayer, LinearAttentionAndSlidingWindowAttentionLayer)
RECURS = (
    LinearAttentionLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
)
KNOWN = {*GROWS, *SLIDES, *RECURS, DummyLayer}
# Tokens of a trial, which every vocabulary has.
BEGINNING, NEXT, OTHER = (0, 1), (0,), (2, 2)
NEAR = 4  # times its precision, of the largest logit
UNSEEN = "it keeps what it has read in a way that is not known."

Slot = tuple[int, str, int]  # layer, what it calls it, which of several


class Stretch:
    """What is kept of a stretch of tokens. Never changed once made; a part of it is a view.

    state: how the model stood behind the last of them. None where that is not known, so that no sequence can
    go on from there; () of a model that has no state beside its keys and values.
    """

    def __init__(self, rows: Sequence[Tensor], state: Sequence[Tensor] | None, length: int) -> None:
        self.rows = tuple(rows)  # (1, G, T, D) each
        self.state = None if state is None else tuple(state)
        self._length = length

    def __len__(self) -> int:
        return self._length

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.rows, *(self.state or ())))

    def part(self, start: int, stop: int) -> "Stretch":
        state = self.state if stop == self._length or self.state == () else None
        return Stretch([row[:, :, start:stop] for row in self.rows], state, stop - start)

    def ending(self, state: Sequence[Tensor] | None) -> "Stretch":
        """The same tokens with another state behind them."""
        return Stretch(self.rows, state, self._length)

    def copy(self) -> "Stretch":
        rows = [row.clone(memory_format=torch.contiguous_format) for row in self.rows]
        return Stretch(rows, self.state, self._length)

    def moved(self, device: torch.device) -> "Stretch":
        state = None if self.state is None else [moved(tensor, device) for tensor in self.state]
        return Stretch([moved(row, device) for row in self.rows], state, self._length)


class Layout:
    def __init__(self, model: PreTrainedModel) -> None:
        """Reads a few tokens to see it.

        Raises ModelMissing for one that keeps what it has read in another way, or in other places as well.
        """
        self._config = model.config
        self.device, self.dtype = model.device, model.dtype
        self.argument = _argument(model)  # the name under which the model takes the cache
        cache = self.empty()
        self.unknown = sorted({type(layer).__name__ for layer in cache.layers if type(layer) not in KNOWN})
        self._read(model, cache, BEGINNING)
        self._rows = list(_slots(cache, GROWS, ("keys", "values")))
        self._windows = list(_slots(cache, SLIDES, ("keys", "values")))
        self._states = list(_slots(cache, RECURS, ("conv_states", "recurrent_states")))
        slots = (*self._rows, *self._windows, *self._states)
        self._like = [_found(cache, slot).to("meta") for slot in slots]
        self.row_bytes = sum(_found(cache, slot).nbytes for slot in self._rows) // len(BEGINNING)
        self.state_bytes = sum(_found(cache, slot).nbytes for slot in self._states)
        for slot in self._windows:
            row = _found(cache, slot).nbytes // len(BEGINNING)
            self.state_bytes += row * (_layer(cache, slot).sliding_window - 1)
        if not self.unknown and not self._is_all(model, cache):
            raise ModelMissing(
                f"A model of the kind “{model.config.model_type}” is not served here: {UNSEEN}"
            )

    def _is_all(self, model: PreTrainedModel, cache: DynamicCache) -> bool:
        """Whether a sequence goes on in the same way after another was read, and from a copy."""
        recurring = {index for index, layer in enumerate(cache.layers) if type(layer) in RECURS}
        if recurring - {slot[0] for slot in self._states} or not (self._rows or self._windows or recurring):
            return False
        whole = self.taken(cache, len(BEGINNING))
        straight = self.empty()
        self._read(model, straight, BEGINNING)
        expected = self._read(model, straight, NEXT)
        self._read(model, self.empty(), OTHER)
        found = [self._read(model, cache, NEXT), self._read(model, self.cache([whole]), NEXT)]
        most = NEAR * torch.finfo(model.dtype).eps * float(expected.abs().max())
        return all(float((logits - expected).abs().max()) <= most for logits in found)

    @torch.inference_mode()
    def _read(self, model: PreTrainedModel, cache: DynamicCache, ids: Sequence[int]) -> Tensor:
        """Logits (V) of the last token."""
        row = torch.tensor([ids], device=model.device)
        try:
            logits: Tensor = model(input_ids=row, use_cache=True, **{self.argument: cache}).logits
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # models of other kinds fail as they like
            kind = model.config.model_type
            raise ModelMissing(f"A model of the kind “{kind}” is not served here: {error}") from error
        return logits[0, -1].float()

    def empty(self) -> DynamicCache:
        return DynamicCache(config=self._config)

    def rows(self, cache: DynamicCache) -> list[Tensor]:
        """What grows, as it stands now; (1, G, T, D) each."""
        return [_found(cache, slot) for slot in self._rows]

    def state(self, cache: DynamicCache) -> list[Tensor]:
        """A copy of what keeps its size."""
        return [_found(cache, slot).clone() for slot in (*self._windows, *self._states)]

    def taken(self, cache: DynamicCache, length: int) -> Stretch:
        """All of the cache's tokens."""
        return Stretch([_whole(row) for row in self.rows(cache)], self.state(cache), length)

    def fits(self, stretch: Stretch) -> bool:
        """Whether these can be tensors of this model: rows where there are tokens, the rest unless None."""
        count, fixed = len(self._rows), len(self._rows) + len(self._windows)  # from there on all sizes are
        expected = [
            (like, at < fixed)
            for at, like in enumerate(self._like)
            if (len(stretch) if at < count else stretch.state is not None)
        ]
        tensors = [*stretch.rows, *(stretch.state or ())]
        if len(tensors) != len(expected) or any(row.shape[2:3] != (len(stretch),) for row in stretch.rows):
            return False
        return all(
            tensor.dtype == like.dtype and _sizes(tensor, grows) == _sizes(like, grows)
            for tensor, (like, grows) in zip(tensors, expected, strict=True)
        )

    def cache(self, stretches: Sequence[Stretch]) -> DynamicCache:
        """One that goes on from the end of these, which follow each other; the last one has a state."""
        cache = self.empty()
        if stretches:
            parts = zip(*(stretch.rows for stretch in stretches), strict=True)
            rows = [part[0] if len(part) == 1 else torch.cat(part, dim=2) for part in parts]
            state = [tensor.to(self.device, copy=True) for tensor in stretches[-1].state or ()]
            self.put(cache, rows, state, sum(len(stretch) for stretch in stretches))
        return cache

    @property
    def can_join(self) -> bool:
        """Whether caches can stand side by side; of sliding windows some would not be full yet."""
        return not self._windows and not self.unknown

    def joined(self, caches: Sequence[DynamicCache], lengths: Sequence[int]) -> DynamicCache:
        """One for all, whose rows end together."""
        longest = max(lengths)
        columns = zip(*(self.rows(cache) for cache in caches), strict=True)
        padded = ([pad(row, (0, 0, longest - row.shape[2], 0)) for row in column] for column in columns)
        rows = [torch.cat(column) for column in padded]
        states = zip(*([_found(cache, slot) for slot in self._states] for cache in caches), strict=True)
        together = self.empty()
        self.put(together, rows, [torch.cat(state) for state in states], longest)
        return together

    def part(self, together: DynamicCache, caches: Sequence[DynamicCache], lengths: Sequence[int]) -> None:
        """The caches take what is theirs; as views."""
        for at, (cache, length) in enumerate(zip(caches, lengths, strict=True)):
            rows = [row[at : at + 1, :, row.shape[2] - length :] for row in self.rows(together)]
            state = [_found(together, slot)[at : at + 1] for slot in self._states]
            self.put(cache, rows, state, length)

    def rewind(self, cache: DynamicCache, state: Sequence[Tensor], length: int) -> None:
        """To its first tokens, where it stood at `state`. Takes no memory."""
        self.put(cache, [row[:, :, :length] for row in self.rows(cache)], state, length)

    def put(self, cache: DynamicCache, rows: Sequence[Tensor], state: Sequence[Tensor], length: int) -> None:
        """The cache holds these from now on, and changes `state` in place."""
        for slot, tensor in zip((*self._rows, *self._windows, *self._states), (*rows, *state), strict=True):
            layer = _layer(cache, slot)
            if slot in self._states:
                _put_state(layer, slot, tensor)
                continue
            if not layer.is_initialized:
                layer.lazy_initialization(tensor, tensor)
            setattr(layer, slot[1], tensor)
            if slot in self._windows:
                layer.cumulative_length = length


def _sizes(tensor: Tensor, grows: bool) -> list[int]:  # noqa: FBT001  of one call
    return [size for axis, size in enumerate(tensor.shape) if axis != 2 or not grows]


def _whole(row: Tensor) -> Tensor:
    """Without the memory of others beside it."""
    return row if row.untyped_storage().nbytes() == row.nbytes else row.clone()


def _argument(model: PreTrainedModel) -> str:
    names = inspect.signature(model.forward).parameters
    return "past_key_values" if "past_key_values" in names else "cache_params"


def _slots(cache: DynamicCache, kinds: tuple[type, ...], names: Sequence[str]) -> Iterator[Slot]:
    """Where the layers of these kinds keep a tensor."""
    for index, layer in enumerate(cache.layers):
        for name in names if type(layer) in kinds else ():
            held = getattr(layer, name, None)
            which = held if isinstance(held, dict) else {0: held}
            yield from ((index, name, at) for at, tensor in which.items() if tensor is not None)


def _layer(cache: DynamicCache, slot: Slot) -> Any:
    return cache.layers[slot[0]]


def _found(cache: DynamicCache, slot: Slot) -> Tensor:
    held = getattr(_layer(cache, slot), slot[1])
    tensor: Tensor = held[slot[2]] if isinstance(held, dict) else held
    return tensor


def _put_state(layer: Any, slot: Slot, tensor: Tensor) -> None:
    _, name, at = slot
    if name == "conv_states":
        if not layer.is_conv_states_initialized[at]:
            layer.lazy_initialization(conv_states=tensor, state_idx=at)
        layer.has_previous_state[at] = True
    elif not layer.is_recurrent_states_initialized[at]:
        layer.lazy_initialization(recurrent_states=tensor, state_idx=at)
    getattr(layer, name)[at] = tensor
