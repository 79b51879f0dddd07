"""Models that are read one by one, with the library's own cache: those with a recurrent state, and all whose
attention we do not pack.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from inference.errors import Unavailable
from inference.generator.layout import Layout
from inference.generator.reader import Feed

NO_MEMORY = "The device has not enough memory for this request now."
RETRY_SECONDS = 5.0
# Tokens of a trial, which every vocabulary has.
TEXTS, NEXT = ((0, 1, 2, 2, 1), (2, 1)), (0,)
NEAR = 16  # times its precision, of the largest logit


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
        self._joins = {"attention_mask", "position_ids"} <= set(takes) and self._is_same_together()

    @torch.inference_mode()
    def step(self, feeds: Sequence[Feed[PlainState]], check: Callable[[], None]) -> list[Tensor]:
        """As Reader.step, with the same promise: what is raised ends the step as if it had not been."""
        check()
        if self.layout.unknown:
            return self._without_return(feeds)
        stood = [(len(f.state), self.layout.state(f.state.cache) if len(f.state) else []) for f in feeds]
        try:
            return self._all(feeds)
        except BaseException:
            for feed, (length, state) in zip(feeds, stood, strict=True):
                self._rewind(feed.state, length, state)
            raise

    def _all(self, feeds: Sequence[Feed[PlainState]]) -> list[Tensor]:
        """Those that write together, the others one by one."""
        writing = [feed for feed in feeds if len(feed.tokens) == 1 and len(feed.state)]
        done: dict[int, Tensor] = {}
        if self._joins and len(writing) > 1:
            with suppress(torch.OutOfMemoryError):  # one by one takes less, and their caches are as they were
                done = dict(zip(map(id, writing), self._together(writing), strict=True))
        return [done[id(feed)] if id(feed) in done else self._one(feed) for feed in feeds]

    def _together(self, feeds: Sequence[Feed[PlainState]]) -> list[Tensor]:
        """One token of each, as rows of one batch."""
        caches, lengths = [feed.state.cache for feed in feeds], [len(feed.state) for feed in feeds]
        device = self.model.device
        together, starts = self.layout.joined(caches, lengths), torch.tensor(lengths, device=device)
        places = torch.arange(max(lengths) + 1, device=device)
        output: Any = self.model(
            input_ids=torch.tensor([list(feed.tokens) for feed in feeds], device=device),
            attention_mask=(places >= max(lengths) - starts[:, None]).long(),
            position_ids=starts[:, None],
            use_cache=True,
            **{self.layout.argument: together},
        )
        self.layout.part(together, caches, [length + 1 for length in lengths])
        for feed in feeds:
            feed.state.length += 1
        return list(output.logits)

    @torch.inference_mode()
    def _is_same_together(self) -> bool:
        """Whether the model writes in a batch what it writes alone: tried with two short texts."""
        if not self.layout.can_join:
            return False
        pairs = [[PlainState("", self.layout.empty(), 0) for _ in range(2)] for _ in range(2)]
        for pair in pairs:
            for state, text in zip(pair, TEXTS, strict=True):
                self._one(Feed(state, text, 1))
        alone, together = ([Feed(state, NEXT, 1) for state in pair] for pair in pairs)
        try:
            found = torch.cat(self._together(together)).float()
        except Exception:  # noqa: BLE001  models that are not made for it fail as they like
            return False
        expected = torch.cat([self._one(feed) for feed in alone]).float()
        most = NEAR * torch.finfo(self.model.dtype).eps * float(expected.abs().max())
        return float((found - expected).abs().max()) <= most

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
