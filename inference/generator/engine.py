"""The engine: one thread that reads prompts and writes answers, many at a time. It knows token ids only.

A step feeds the last token of every answer that is being written, and a chunk of the first prompt that is
still being read; so a long read does not stall the answers beside it.
"""

from collections import deque
from dataclasses import dataclass
from threading import Condition, Thread, main_thread

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.errors import Unavailable
from inference.generator.prefixes import Prefixes, tokens_of
from inference.generator.reader import Reader
from inference.generator.request import Request
from inference.generator.running import Running
from inference.generator.segment import State

IDLE_SECONDS = 5.0  # then the thread ends; the next request starts another
POLL_SECONDS = 0.1
RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    running: int = 16  # answers written side by side
    waiting: int = 64  # requests beyond those; more are told to come back
    cache_bytes: int = 512 << 20
    host_bytes: int = 0
    alone: int = 512  # tokens of a prompt in one step, when nobody else is being answered
    beside: int = 128  # and when somebody is


class Stopped(Exception):
    """Somebody of this step went; it is done again without them."""


class Engine:
    def __init__(self, model: PreTrainedModel, ends: frozenset[int], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.ends = ends
        self.reader = Reader(model)
        self.prefixes = Prefixes(self.limits.cache_bytes, self.limits.host_bytes, model.device)
        self._waiting: deque[Request] = deque()
        self._running: list[Running] = []
        self._changed = Condition()
        self._thread: Thread | None = None

    @property
    def window(self) -> int:
        """Positions the model was made for; 0 where it does not say."""
        config = self.reader.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", 0) or 0)

    @property
    def is_idle(self) -> bool:
        return not self._running and not self._waiting

    def submit(self, request: Request) -> None:
        """Raises Unavailable when too many wait already."""
        with self._changed:
            if len(self._waiting) >= self.limits.waiting:
                raise Unavailable("Too many requests are waiting. Try again soon.", RETRY_SECONDS)
            self._waiting.append(request)
            self._changed.notify()
            if self._thread is None:
                # No daemon: a process that ends in the midst of native code is aborted, not ended.
                self._thread = Thread(target=self._work, name="engine")
                self._thread.start()

    def _work(self) -> None:
        while self._has_work():
            self._drop_gone()
            try:
                self._admit()
                self._step()
            except Stopped:
                continue
            except torch.OutOfMemoryError:
                self._relieve()
            except Exception as error:  # noqa: BLE001  whatever a model fails with is told to all it fails
                for running in list(self._running):
                    self._finish(running, error)

    def _has_work(self) -> bool:
        """Waits for it; False: this thread ends, because nothing came or the process ends."""
        with self._changed:
            for _ in range(int(IDLE_SECONDS / POLL_SECONDS)):
                if not self.is_idle:
                    return True
                if not main_thread().is_alive():
                    break
                self._changed.wait(POLL_SECONDS)
            if self.is_idle:
                self._thread = None
            return not self.is_idle

    def _drop_gone(self) -> None:
        for running in [r for r in self._running if r.request.is_gone]:
            self._finish(running)
        with self._changed:
            gone = [request for request in self._waiting if request.is_gone]
            for request in gone:
                self._waiting.remove(request)
        for request in gone:
            request.end()

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self.limits.running:
            with self._changed:
                request = self._waiting.popleft()
            # The last token is always fed: its logits are the beginning of the answer.
            node, shared = self.prefixes.find(request.scope, tokens_of(request.ids[:-1]))
            request.cached = sum(len(segment) for segment in shared)
            running = Running(request, State(self.reader.shape, shared), node)
            self._running.append(running)
            running.state.make_room(len(request.ids) - request.cached)

    def _step(self) -> None:
        writing = [running for running in self._running if not running.is_reading]
        reading = [running for running in self._running if running.is_reading][:1]
        batch = [*writing, *reading]
        drafts: list[list[int]] = [[] for _ in batch]
        most = self.limits.beside if writing else self.limits.alone
        feeds = [running.next_written(draft) for running, draft in zip(writing, drafts, strict=False)]
        feeds += [running.next_of_prompt(most) for running in reading]

        def check() -> None:
            if any(running.request.is_gone for running in batch):
                raise Stopped

        logits = self.reader.step(feeds, check) if feeds else []
        for running, rows, draft in zip(batch, logits, drafts, strict=True):
            self._take(running, rows, draft)

    def _relieve(self) -> None:
        """Without what is remembered there may be room; with nothing to give, the newest request goes."""
        if not self.prefixes.shrink() and self._running:
            problem = Unavailable("The device has not enough memory for this request now.", RETRY_SECONDS)
            self._finish(self._running[-1], problem)
        if self.reader.model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _take(self, running: Running, rows: Tensor, draft: list[int]) -> None:
        if running.is_reading:
            return
        first = not running.written
        ended = running.take(rows, draft, self.ends)
        if first:  # after the first token was handed over: nobody waits for this
            segment = running.state.seal(running.request.limit)
            tokens = tokens_of(running.request.ids)
            running.node = self.prefixes.add(running.request.scope, tokens, segment, running.node)
        if ended:
            self._finish(running)

    def _finish(self, running: Running, error: BaseException | None = None) -> None:
        self._running.remove(running)
        running.request.end(error)
        if error is None and running.state.filled:
            tokens = running.read_tokens()
            running.node = self.prefixes.add(running.request.scope, tokens, running.state.own(), running.node)
        self.prefixes.release(running.node)
