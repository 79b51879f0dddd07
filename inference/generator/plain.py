"""Models that are read one by one, with the library's own cache: those with a recurrent state, and all whose
attention we do not pack.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from inference.errors import Unavailable
from inference.generator.layout import Layout
from inference.generator.reader import Feed

NO_MEMORY = "The device has not enough memory for this request now."
RETRY_SECONDS = 5.0


class PlainState:
    """What one sequence has read, in the library's cache."""

    def __init__(self, scope: str, cache: DynamicCache, length: int, stops: Sequence[int] = ()) -> None:
        """stops: numbers of tokens at which its reading stops, since a copy is taken there."""
        self.scope = scope
        self.cache = cache
        self.length = length
        self.known = length  # tokens that it began with
        self.stops = list(stops)

    def __len__(self) -> int:
        return self.length

    def cut(self, length: int) -> None:
        """Nothing is ever fed that might not hold."""


class PlainReader:
    can_draft = False

    def __init__(self, model: PreTrainedModel, layout: Layout) -> None:
        self.model = model
        self.layout = layout
        takes = inspect.signature(model.forward).parameters
        self._spares_logits = "logits_to_keep" in takes

    @torch.inference_mode()
    def step(self, feeds: Sequence[Feed[PlainState]], check: Callable[[], None]) -> list[Tensor]:
        """As Reader.step, with the same promise: what is raised ends the step as if it had not been."""
        check()
        if self.layout.unknown:
            return self._without_return(feeds)
        stood = [(len(f.state), self.layout.state(f.state.cache) if len(f.state) else []) for f in feeds]
        try:
            return [self._one(feed) for feed in feeds]
        except BaseException:
            for feed, (length, state) in zip(feeds, stood, strict=True):
                self._rewind(feed.state, length, state)
            raise

    def _without_return(self, feeds: Sequence[Feed[PlainState]]) -> list[Tensor]:
        """Nobody knows how to lead such a cache back: where memory runs out, all of the step have to go."""
        try:
            return [self._one(feed) for feed in feeds]
        except torch.OutOfMemoryError as error:
            raise Unavailable(NO_MEMORY, RETRY_SECONDS) from error

    def _one(self, feed: Feed[PlainState]) -> Tensor:
        row = torch.tensor([list(feed.tokens)], device=self.model.device)
        spared = {"logits_to_keep": max(1, feed.wanted)} if self._spares_logits else {}
        given = {self.layout.argument: feed.state.cache, **spared}
        output: Any = self.model(input_ids=row, use_cache=True, **given)
        feed.state.length += len(feed.tokens)
        logits: Tensor = output.logits[0]
        return logits[len(logits) - feed.wanted :]

    def _rewind(self, state: PlainState, length: int, stood: Sequence[Tensor]) -> None:
        if length:
            self.layout.rewind(state.cache, stood, length)
        else:
            state.cache = self.layout.empty()
        state.length = length
