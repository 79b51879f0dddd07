"""Messages into text: one protocol, a local and a remote implementation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True)
class GeneratorConfig:
    """With a url: a server that speaks OpenAI's chat API. Without: `model` is a folder or a GGUF file."""

    url: str = ""
    model: str = ""  # "" = the default model (or the first one that the server lists)
    api_key: str = field(default="", repr=False)
    device: str = ""  # "" = CUDA if there is one, else the CPU
    window: int = 0  # tokens; 0 = the model's own
    cache_dir: Path = Path("var/models")  # for dequantised weights
    timeout_seconds: float = 120.0


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Options:
    max_tokens: int = 256
    temperature: float = 0.0  # 0 = greedy
    stop: tuple[str, ...] = ()  # the text ends before the first of these
    deadline_seconds: float = 120.0  # waiting for a turn included
    repetition_penalty: float = 1.0  # 1 = none; local: over the generated tokens, so that quoting stays free


class Generator(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int:
        """Tokens of prompt and answer together."""

    def count_tokens(self, text: str) -> int:
        """Exact where the tokenizer is here, else an estimate that rather errs upwards."""

    def stream(
        self, messages: Sequence[Message], options: Options, cancelled: Callable[[], bool]
    ) -> Iterator[str]:
        """Pieces of text, never half a character. Closing the iterator ends the generation.

        `cancelled` is asked in the caller's own thread, at least every 50 ms while the caller waits.
        Raises Cancelled, ContextTooLong, Unavailable (also when the deadline passes), BadReply.
        """


def open_generator(config: GeneratorConfig) -> Generator:
    """Raises ModelMissing. Imports torch only here, so that a web process starts quickly."""
    if config.url:
        from inference.generator.remote import RemoteGenerator

        return RemoteGenerator(config)
    from inference.generator.local import LocalGenerator

    return LocalGenerator(config)
