"""The generator in this process: text in, text out, one generation at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from inference.device import choose_device, choose_dtype
from inference.errors import Cancelled, ContextTooLong
from inference.generator import GeneratorConfig, Message, Options, Usage, weights
from inference.generator.engine import Engine
from inference.generator.pump import POLL_SECONDS, Gone, Pumped, Put
from inference.generator.sampling import Sampling
from inference.generator.text import Detokenizer, Script, StopStrings

UNKNOWN_WINDOW = 2048  # for a model that does not say


class LocalGenerator:
    """Thread-safe: generations wait for their turn."""

    def __init__(self, config: GeneratorConfig) -> None:
        device = choose_device(config.device)
        loaded = weights.load(config.model, config.cache_dir, device, choose_dtype(device))
        self.name = loaded.name
        self._script = Script(loaded.tokenizer)
        self._engine = Engine(loaded.model, self._script.ends() | _ends(loaded))
        own = self._engine.window or UNKNOWN_WINDOW
        self.window = min(config.window, own) if config.window else own
        self._turn = Lock()

    def count_tokens(self, text: str) -> int:
        return self._script.count(text)

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, with what the chat template adds."""
        return len(self._script.prompt(messages))

    def stream(self, messages: Sequence[Message], options: Options, cancelled: Callable[[], bool]) -> Pumped:
        def produce(stream: Pumped, put: Put, gone: Gone) -> None:
            ids = self._script.prompt(messages)
            self._check_room(ids, options)
            stream.tell(prompt_tokens=len(ids), cached_tokens=0)
            with self._waiting(gone):
                self._write(ids, options, stream, put, gone)

        return Pumped(produce, cancelled, options.deadline_seconds)

    def warm(self, messages: Sequence[Message], scope: str, cancelled: Callable[[], bool]) -> Usage:  # noqa: ARG002
        """Nothing is remembered yet."""
        return Usage(prompt_tokens=self.count_prompt(messages), cached_tokens=0, written_tokens=0)

    def _check_room(self, ids: Sequence[int], options: Options) -> None:
        if len(ids) + options.max_tokens > self.window:
            raise ContextTooLong(
                f"The prompt has {len(ids)} tokens and the answer may have {options.max_tokens}: "
                f"more than the window of {self.window}."
            )

    def _write(self, ids: list[int], options: Options, stream: Pumped, put: Put, gone: Gone) -> None:
        """Generate, put the text as it becomes certain."""
        detokenizer, stops = Detokenizer(self._script.tokenizer), StopStrings(options.stop)
        sampling = Sampling(options.temperature, options.repetition_penalty)
        tokens = self._engine.generate(ids, options.max_tokens, sampling, lambda: _check(gone))
        for written, token in enumerate(tokens, 1):
            stream.tell(written_tokens=written)
            _put(put, stops.feed(detokenizer.feed(token)))
            if stops.found:
                return
        _put(put, stops.feed(detokenizer.finish()))
        _put(put, "" if stops.found else stops.finish())

    @contextmanager
    def _waiting(self, gone: Gone) -> Iterator[None]:
        """The turn, or Cancelled when the caller went while waiting."""
        while not self._turn.acquire(timeout=POLL_SECONDS):
            _check(gone)
        try:
            yield
        finally:
            self._turn.release()


def _check(gone: Gone) -> None:
    if gone():
        raise Cancelled


def _put(put: Put, text: str) -> None:
    if text:
        put(text)


def _ends(loaded: weights.Weights) -> frozenset[int]:
    """The end tokens that the model itself names; one, several or none."""
    named = getattr(loaded.model.generation_config, "eos_token_id", None)
    return frozenset(named if isinstance(named, list) else [] if named is None else [named])
