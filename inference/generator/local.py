"""The generator in this process: text in, text out; the engine works on several at a time."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from queue import Empty

import torch

from inference.device import choose_device, choose_dtype
from inference.errors import Cancelled, ContextTooLong, ModelMissing, TooSlow
from inference.generator import GeneratorConfig, Message, Options, Usage, weights
from inference.generator.disk import Place
from inference.generator.engine import Engine
from inference.generator.form import Form, Pieces
from inference.generator.parts import Limits
from inference.generator.request import Request
from inference.generator.sampling import Sampling
from inference.generator.text import Detokenizer, Script, StopStrings

UNKNOWN_WINDOW = 2048  # for a model that does not say
POLL_SECONDS = 0.05
WARM_SECONDS = 3600.0


class LocalGenerator:
    """Thread-safe."""

    def __init__(self, config: GeneratorConfig) -> None:
        device = choose_device(config.device)
        loaded = weights.load(config.model, config.cache_dir, device, choose_dtype(device))
        self.name = loaded.name
        self._script = Script(loaded.tokenizer)
        ends = self._script.ends() | _ends(loaded)
        try:
            self._engine = Engine(
                loaded.model, ends, _limits(config, device), _place(config, loaded.fingerprint)
            )
        except torch.OutOfMemoryError as error:
            raise ModelMissing(f"“{self.name}” leaves no room to work in the memory of {device}.") from error
        self._pieces = Pieces(loaded.tokenizer, self._engine.ends)
        own = self._engine.window or UNKNOWN_WINDOW
        self.window = min(config.window, own) if config.window else own

    def count_tokens(self, text: str) -> int:
        return self._script.count(text)

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, with what the chat template adds."""
        return len(self._script.prompt(messages))

    def stream(
        self, messages: Sequence[Message], options: Options, cancelled: Callable[[], bool]
    ) -> "LocalStream":
        def begin() -> Request:
            return self._begin(*self._prompt(messages), options)

        return LocalStream(begin, self._script, options, cancelled)

    def warm(self, messages: Sequence[Message], scope: str, cancelled: Callable[[], bool]) -> Usage:
        options = Options(max_tokens=0, scope=scope, deadline_seconds=WARM_SECONDS)
        prompt, sections = self._prompt(messages)
        ids = self._script.beginning(messages, prompt)
        stream = LocalStream(lambda: self._begin(ids, sections, options), self._script, options, cancelled)
        for _ in stream:
            pass
        return stream.usage

    def counts(self) -> dict[str, int]:
        """What the engine has done so far, by name."""
        return dict(self._engine.counts)

    def gauges(self) -> dict[str, int]:
        """How the engine stands now."""
        return self._engine.gauges()

    def forget(self, scope: str) -> None:
        """What was read for this scope is no longer known, in memory or on disk."""
        self._engine.forget(scope)

    def _prompt(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Token ids, and where its sections end, if that makes a difference."""
        if self._engine.keeps_states:
            return self._script.sectioned(messages)
        return self._script.prompt(messages), []

    def _begin(self, ids: Sequence[int], sections: Sequence[int], options: Options) -> Request:
        if len(ids) + options.max_tokens > self.window:
            raise ContextTooLong(
                f"The prompt has {len(ids)} tokens and the answer may have {options.max_tokens}: "
                f"more than the window of {self.window}."
            )
        sampling = Sampling(options.temperature, options.repetition_penalty)
        deadline = time.monotonic() + options.deadline_seconds
        has_form = bool(options.ids or options.openings)
        form = Form(self._pieces, options.ids, options.openings) if has_form else None
        request = Request(ids, options.max_tokens, sampling, options.scope, deadline, form)
        request.sections = (*request.sections, *sections)
        self._engine.submit(request)
        return request


class LocalStream:
    """Tokens of a request into text, in the reader's own thread: a reader who stalls holds up nobody."""

    def __init__(
        self,
        begin: Callable[[], Request],
        script: Script,
        options: Options,
        cancelled: Callable[[], bool],
    ) -> None:
        self._begin = begin
        self._options = options
        self._cancelled = cancelled
        self._detokenizer = Detokenizer(script.tokenizer)
        self._stops = StopStrings(options.stop)
        self._request: Request | None = None
        self._seconds: float | None = None
        self._written = 0
        self._is_cut = False
        self._pieces = self._read()

    @property
    def usage(self) -> Usage:
        if self._request is None:
            return Usage()
        request = self._request
        return Usage(len(request.ids), request.cached, self._seconds, self._written, self._is_cut)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()

    def _read(self) -> Generator[str]:
        began = time.monotonic()
        self._request = self._begin()
        try:
            for token in self._tokens(self._request):
                if self._seconds is None:
                    self._seconds = time.monotonic() - began
                self._written += 1
                if text := self._stops.feed(self._detokenizer.feed(token)):
                    yield text
                if self._stops.found:
                    return
            self._is_cut = 0 < self._options.max_tokens <= self._written
            yield from self._rest()
        finally:
            self._request.close()

    def _tokens(self, request: Request) -> Iterator[int]:
        while True:
            if self._cancelled():
                raise Cancelled
            if time.monotonic() > request.deadline:
                raise TooSlow(f"The answer took longer than {self._options.deadline_seconds:g} seconds.")
            try:
                token = request.get(POLL_SECONDS)
            except Empty:
                continue
            if token is None and not request.is_gone:
                return
            if token is not None:
                yield token

    def _rest(self) -> Iterator[str]:
        text = self._stops.feed(self._detokenizer.finish())
        text += "" if self._stops.found else self._stops.finish()
        if text:
            yield text


def _place(config: GeneratorConfig, fingerprint: str) -> Place | None:
    if not config.disk_cache_bytes:
        return None
    key = config.disk_cache_key or None
    return Place(config.disk_cache_dir, config.disk_cache_bytes, fingerprint, key)


def _limits(config: GeneratorConfig, device: torch.device) -> Limits:
    chunks = {"alone": 4096, "beside": 1024} if device.type == "cuda" else {}
    sizes = (config.running, config.waiting, config.cache_bytes, config.host_cache_bytes)
    return Limits(*sizes, **chunks, rounds=config.cache_int8)


def _ends(loaded: weights.Weights) -> frozenset[int]:
    """The end tokens that the model itself names; one, several or none."""
    named = getattr(loaded.model.generation_config, "eos_token_id", None)
    return frozenset(named if isinstance(named, list) else [] if named is None else [named])
