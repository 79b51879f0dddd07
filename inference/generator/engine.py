"""The engine: one thread that reads prompts and writes answers, many at a time. It knows token ids only.

A step feeds the last token of every answer that is being written, and a chunk of the prompts that are still
being read, first come first served; so a long read does not stall the answers beside it.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Condition, Thread, main_thread
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.errors import InferenceError, Unavailable
from inference.generator.disk import Place
from inference.generator.draft import Costs
from inference.generator.pace import Pace
from inference.generator.parts import Limits, parts
from inference.generator.plain import NO_MEMORY, RETRY_SECONDS
from inference.generator.prefixes import common, tokens_of
from inference.generator.request import Request
from inference.generator.running import Running
from inference.generator.snapshots import Snapshots

IDLE_SECONDS = 5.0  # then the thread ends; the next request starts another
POLL_SECONDS = 0.1
FORGET_SECONDS = 30.0
MOST_GUESSING = 2  # sequences in a step that guess what comes next
SHARED = 64  # tokens; for fewer nobody waits
ROOM = 256  # rows for an answer at first


class Stopped(Exception):
    """Somebody of this step went; it is done again without them."""


class Engine:
    def __init__(
        self,
        model: PreTrainedModel,
        ends: frozenset[int],
        limits: Limits | None = None,
        place: Place | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.ends = ends
        self.reader, self.memory = parts(model, self.limits, place)
        self.counts: Counter[str] = Counter()  # what was done so far, by name: for the metrics
        self._costs = Costs()
        fast = max(self.limits.alone, self.limits.fast) if self.reader.can_draft else self.limits.alone
        self._pace = Pace(self.limits.alone, fast, self.limits.beside)
        self._waiting: deque[Request] = deque()
        self._forgotten: deque[tuple[str, Future[None]]] = deque()  # scopes, and who waits for it
        self._running: list[Running] = []
        self._changed = Condition()
        self._thread: Thread | None = None

    @property
    def window(self) -> int:
        """Positions the model was made for; 0 where it does not say."""
        config = self.reader.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", 0) or 0)

    @property
    def keeps_states(self) -> bool:
        """Whether it makes a difference where the sections of a prompt end."""
        return isinstance(self.memory, Snapshots) and self.memory.has_states

    @property
    def is_idle(self) -> bool:
        return not self._running and not self._waiting

    def gauges(self) -> dict[str, int]:
        """How it stands now."""
        return {
            "running": len(self._running),
            "waiting": len(self._waiting),
            "cache_bytes": self.memory.bytes,
        }

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

    def forget(self, scope: str) -> None:
        """Between two steps of the engine, or at once where it rests; it is done when this returns.

        Raises Unavailable where something stays, or where a step takes longer than one waits.
        """
        done: Future[None] = Future()
        with self._changed:
            self._forgotten.append((scope, done))
            self._changed.notify()
            if self._thread is None:
                self._forget()
        try:
            done.result(FORGET_SECONDS)
        except TimeoutError as error:
            raise Unavailable(
                "The generator is busy; it forgets as soon as it can.", RETRY_SECONDS
            ) from error

    def _forget(self) -> None:
        """What is being read or waits for it was asked before: that is not remembered either."""
        while self._forgotten:
            scope, done = self._forgotten.popleft()
            with self._changed:
                asked = [*(running.request for running in self._running), *self._waiting]
            for request in asked:
                request.is_forgotten |= request.scope == scope
            try:
                self.memory.forget(scope)
            except InferenceError as error:
                done.set_exception(error)
            except Exception as error:  # noqa: BLE001  whoever asked for it is told; answers go on
                done.set_exception(Unavailable(f"The memory failed: {error}", RETRY_SECONDS))
            else:
                done.set_result(None)

    def _work(self) -> None:
        while self._has_work():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001  whatever a model fails with is told to all it fails
                for running in list(self._running):
                    self._finish(running, error)

    def _turn(self) -> None:
        try:
            self._drop_gone()
            self._forget()
            self._admit()
            self._step()
        except Stopped:
            return
        except torch.OutOfMemoryError:
            self._relieve()

    def _has_work(self) -> bool:
        """Waits for it; False: this thread ends, because nothing came or the process ends."""
        with self._changed:
            for _ in range(int(IDLE_SECONDS / POLL_SECONDS)):
                if self._forgotten or not self.is_idle:
                    return True
                if not main_thread().is_alive():
                    break
                self._changed.wait(POLL_SECONDS)
            has_work = bool(self._forgotten) or not self.is_idle
            if not has_work:
                self._thread = None
            return has_work

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
            if self._waits(self._waiting[0]):
                return
            with self._changed:
                request = self._waiting.popleft()
            try:
                state = self.memory.open(request.scope, request.ids, request.sections)
            except torch.OutOfMemoryError:
                self._relieve()
                request.end(Unavailable(NO_MEMORY, RETRY_SECONDS))
                return
            except Exception as error:  # noqa: BLE001  it is in no list: nobody else would tell it
                request.end(error)
                return
            request.waits_for = None  # else each would keep those before it
            request.cached = len(state)
            self.counts.update(requests=1, prompt_tokens=len(request.ids), cached_tokens=len(state))
            self._running.append(Running(request, state, self._costs if self.reader.can_draft else None))

    def _waits(self, request: Request) -> bool:
        """For a running one, which is told where they part."""
        other = next((running for running in self._running if _shares(request, running)), None)
        if other is None:
            return False
        if request.waits_for is not other.request:
            request.waits_for = other.request
            same = common(tokens_of(request.ids[:-1]), tokens_of(other.request.ids))
            self.memory.stop_at(other.state, same)
        return True

    def _step(self) -> None:
        writing = [running for running in self._running if not running.is_reading]
        reading = self._to_read(self._pace.tokens(is_alone=not writing))
        batch = [*writing, *(running for running, _ in reading)]
        # Beside many others a guess would take more than it gives: the step is full of rows already.
        drafts = [running.guess() if len(batch) <= MOST_GUESSING else [] for running in writing]
        drafts += [[] for _ in reading]
        feeds = [running.next_written(draft) for running, draft in zip(writing, drafts, strict=False)]
        feeds += [running.next_of_prompt(most) for running, most in reading]

        def check() -> None:
            if any(running.request.is_gone for running in batch):
                raise Stopped

        if not feeds:
            return
        began = time.monotonic()
        logits = self.reader.step(feeds, check)
        took, fed = time.monotonic() - began, sum(len(feed.tokens) for feed in feeds)
        self.counts.update(steps=1, fed_tokens=fed)
        if reading and self.reader.can_draft:  # a state that cannot be cut is copied at fixed places
            self._pace.add(fed, took)
        elif len(writing) == 1:
            self._costs.add(fed, took)
        self._hand_over(batch, logits, drafts)

    def _to_read(self, most: int) -> list[tuple[Running, int]]:
        """Those whose prompts go on in this step, first come first served, and how many tokens of each."""
        shares = []
        for running in self._running:
            if running.is_reading and most > 0:
                share = min(running.left, most)
                shares.append((running, share))
                most -= share
        return shares

    def _relieve(self) -> None:
        """Without what is remembered there may be room; with nothing to give, the newest request goes."""
        if not self._give_back() and self._running:
            self._finish(self._running[-1], Unavailable(NO_MEMORY, RETRY_SECONDS))

    def _give_back(self) -> bool:
        """What is remembered. False: there was nothing."""
        gave: bool = self.memory.shrink()
        if self.reader.model.device.type == "cuda":
            torch.cuda.empty_cache()
        return gave

    def _hand_over(
        self, batch: Sequence[Running], logits: Sequence[Tensor], drafts: Sequence[list[int]]
    ) -> None:
        """All get their tokens before anything is remembered: nobody waits for that, nor loses one by it."""
        new = [running for running in batch if not running.written and not running.request.is_forgotten]
        ended = [self._take(*given) for given in zip(batch, logits, drafts, strict=True)]
        for running, has_ended in zip(batch, ended, strict=True):
            if running in new and running in self._running:
                self._keep(running)
            if has_ended:
                self._finish(running)

    def _take(self, running: Running, rows: Tensor, draft: list[int]) -> bool:
        """True: it has ended, and is still to be finished."""
        try:
            return not running.is_reading and running.take(rows, draft, self.ends)
        except torch.OutOfMemoryError:  # the others are not to lose their tokens by it
            self._finish(running, Unavailable(NO_MEMORY, RETRY_SECONDS))
            return False

    def _keep(self, running: Running) -> None:
        self._remember(self.memory.passed, running.state, running.request.ids)
        if not running.is_reading:
            room = min(running.request.limit, ROOM)
            self._remember(self.memory.share, running.state, running.request.ids, room)

    def _remember(self, keep: Callable[..., None], *given: Any) -> None:
        """Without memory for it nothing is remembered; the answer goes on."""
        try:
            keep(*given)
        except torch.OutOfMemoryError:
            self._give_back()

    def _finish(self, running: Running, error: BaseException | None = None) -> None:
        self._running.remove(running)
        self.counts.update(written_tokens=len(running.written), failed=int(error is not None))
        running.request.end(error)
        # What a step that failed has left behind is not worth remembering.
        keeps = error is None and not running.request.is_forgotten
        with suppress(Exception):  # what cannot be remembered is let go
            self.memory.close(running.state, running.read_tokens() if keeps else tokens_of([]))


def _shares(request: Request, running: Running) -> bool:
    """Whether what it needs is just being read for another: then it waits instead of reading it too."""
    other = running.request
    if not running.is_reading or other.scope != request.scope or other.is_forgotten:
        return False
    least = other.cached + SHARED  # what was known when it began is known to this one as well
    return len(request.ids) > least and request.ids[:least] == other.ids[:least]
