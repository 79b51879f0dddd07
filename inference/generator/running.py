"""A request that the engine works on: what it has read and written, and what it feeds next."""

from typing import Any

from torch import Tensor

from inference.generator.draft import Costs, Draft
from inference.generator.plain import PlainState
from inference.generator.prefixes import Tokens, tokens_of
from inference.generator.reader import Feed
from inference.generator.request import Request
from inference.generator.sampling import pick
from inference.generator.segment import State


class Running:
    def __init__(self, request: Request, state: State | PlainState, costs: Costs | None) -> None:
        """costs: None where the state cannot be cut back, so that nothing is guessed."""
        self.request = request
        self.state = state
        self._draft = Draft(request.ids, costs) if costs else None
        self.written: list[int] = []

    @property
    def is_reading(self) -> bool:
        return len(self.state) < len(self.request.ids)

    @property
    def left(self) -> int:
        """Tokens of the prompt to the next stop of its reading, or to its end."""
        read = len(self.state)
        return next((stop for stop in self.state.stops if stop > read), len(self.request.ids)) - read

    def next_of_prompt(self, most: int) -> Feed[Any]:
        start = len(self.state)
        tokens = self.request.ids[start : start + most]
        return Feed(self.state, tokens, int(start + len(tokens) == len(self.request.ids)))

    def next_written(self, draft: list[int]) -> Feed[Any]:
        """The last token, and what may follow it: logits for each."""
        return Feed(self.state, [self.written[-1], *draft], 1 + len(draft))

    def take(self, logits: Tensor, draft: list[int], ends: frozenset[int]) -> bool:
        """Write by the logits (1 + draft, V), as far as they agree with the draft. True: it has ended."""
        before = len(self.written)
        ended = self.request.limit == 0 or self._write(logits, draft, ends)
        if draft and self._draft is not None:
            self._draft.learn(len(draft), max(0, len(self.written) - before - 1))
        self.state.cut(len(self.request.ids) + max(0, len(self.written) - 1))
        return ended

    def _write(self, logits: Tensor, draft: list[int], ends: frozenset[int]) -> bool:
        for row, guess in zip(logits, [*draft, None], strict=True):
            token = pick(row, self.request.sampling, self.written, self.request.form)
            if token in ends:
                return True
            self._add(token)
            if len(self.written) == self.request.limit:
                return True
            if token != guess:
                break
        return False

    def guess(self) -> list[int]:
        if self._draft is None:
            return []
        return self._draft.guess(self.request.limit - len(self.written) - 1)

    def _add(self, token: int) -> None:
        self.written.append(token)
        self.request.put(token)
        if self._draft is not None:
            self._draft.add(token)
        if self.request.form is not None:
            self.request.form.add(token)

    def read_tokens(self) -> Tokens:
        """All whose keys and values hold."""
        return tokens_of([*self.request.ids, *self.written][: len(self.state)])
