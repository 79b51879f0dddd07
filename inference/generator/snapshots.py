"""Models that are read one by one, with the library's own cache: those with a recurrent state, and all whose
attention we do not pack.

A recurrent state cannot be cut back to fewer tokens, so what was read is remembered in whole copies, taken
while a prompt is read and where it ends.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from inference.errors import Unavailable
from inference.generator.prefixes import Tokens, tokens_of
from inference.generator.reader import Feed

Key = tuple[str, int, bytes]  # scope, tokens, their digest


class PlainState:
    """What one sequence has read, in the library's cache."""

    def __init__(self, scope: str, cache: DynamicCache, length: int) -> None:
        self.scope = scope
        self.cache = cache
        self.length = length

    def __len__(self) -> int:
        return self.length

    def cut(self, length: int) -> None:
        """Nothing is ever fed that might not hold."""


class PlainReader:
    can_draft = False

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    @torch.inference_mode()
    def step(self, feeds: Sequence[Feed[PlainState]], check: Callable[[], None]) -> list[Tensor]:
        """As Reader.step; a state is not to be left half fed, so check() is asked only before."""
        check()
        try:
            return [self._one(feed) for feed in feeds]
        except torch.OutOfMemoryError as error:
            raise Unavailable("The device has not enough memory for this request now.", 5.0) from error

    def _one(self, feed: Feed[PlainState]) -> Tensor:
        row = torch.tensor([list(feed.tokens)], device=self.model.device)
        output: Any = self.model(input_ids=row, past_key_values=feed.state.cache, use_cache=True)
        feed.state.length += len(feed.tokens)
        logits: Tensor = output.logits[0]
        return logits[len(logits) - feed.wanted :]


class Snapshots:
    """Whole copies by the digest of all their tokens; least recently used goes first."""

    def __init__(self, model: PreTrainedModel, most_bytes: int, interval: int) -> None:
        """interval: tokens of a prompt between two copies."""
        self._config = model.config
        self._most = most_bytes
        self._interval = interval
        self._kept: OrderedDict[Key, tuple[DynamicCache, int]] = OrderedDict()
        self.bytes = 0

    def open(self, scope: str, ids: Sequence[int]) -> PlainState:
        """With a copy of what is known of the beginning; the last token is always left to feed."""
        tokens = tokens_of(ids)
        lengths = sorted(
            {key[1] for key in self._kept if key[0] == scope and key[1] < len(ids)}, reverse=True
        )
        for length in lengths:
            if (key := _key(scope, tokens[:length])) in self._kept:
                self._kept.move_to_end(key)
                return PlainState(scope, _copy(self._kept[key][0]), length)
        return PlainState(scope, DynamicCache(config=self._config), 0)

    def passed(self, state: PlainState, ids: Sequence[int]) -> None:
        """A chunk of the prompt was read."""
        if len(state) == len(ids) or len(state) % self._interval == 0:
            self._keep(state, tokens_of(ids[: len(state)]))

    def share(self, state: PlainState, ids: Sequence[int], room: int) -> None:
        """The prompt was read; passed() has kept it."""

    def close(self, state: PlainState, tokens: Tokens) -> None:
        """A conversation goes on from here."""
        self._keep(state, tokens)

    def forget(self, scope: str) -> None:
        for key in [key for key in self._kept if key[0] == scope]:
            self.bytes -= self._kept.pop(key)[1]

    def shrink(self) -> bool:
        gave = bool(self._kept)
        self._kept.clear()
        self.bytes = 0
        return gave

    def _keep(self, state: PlainState, tokens: Tokens) -> None:
        key, size = (
            _key(state.scope, tokens),
            sum(t.numel() * t.element_size() for t in _tensors(state.cache)),
        )
        if not len(tokens) or len(tokens) != len(state) or key in self._kept or size > self._most:
            return
        while self.bytes + size > self._most:
            self.bytes -= self._kept.popitem(last=False)[1][1]
        self._kept[key] = (_copy(state.cache), size)
        self.bytes += size


def _key(scope: str, tokens: Tokens) -> Key:
    return scope, len(tokens), sha256(tokens.tobytes()).digest()


@torch.inference_mode()
def _copy(cache: DynamicCache) -> DynamicCache:
    return deepcopy(cache)


def _tensors(cache: DynamicCache) -> Iterator[Tensor]:
    for layer in cache.layers:
        values = [getattr(layer, name, None) for name in ("keys", "values")]
        for states in (getattr(layer, name, {}) for name in ("conv_states", "recurrent_states")):
            values += states.values()
        yield from (value for value in values if isinstance(value, Tensor))
