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
    dialect: str = ""  # of pattern.DIALECTS: how a server that is not ours is told what may be cited
    # What is remembered of prompts, of a local model:
    cache_bytes: int = 512 << 20  # on the device
    host_cache_bytes: int = 0  # in the machine's memory behind it; of use only with a GPU
    disk_cache_bytes: int = 0
    disk_cache_dir: Path = Path("var/prefixes")
    disk_cache_key: bytes = field(default=b"", repr=False)  # 32 bytes: the files are encrypted with it
    cache_int8: bool = False  # half the memory; the text may differ in a word in hundreds
    running: int = 16  # answers written side by side
    waiting: int = 64  # requests beyond those; more are told to come back


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str
    # Numbers of characters after which a part ends that other prompts may begin with too: a document, say.
    # A model whose state cannot be cut back is remembered there, and where a message ends.
    sections: tuple[int, ...] = ()


@dataclass(frozen=True)
class Options:
    max_tokens: int = 256
    temperature: float = 0.0  # 0 = greedy
    stop: tuple[str, ...] = ()  # the text ends before the first of these
    deadline_seconds: float = 120.0  # waiting for a turn included
    repetition_penalty: float = 1.0  # 1 = none; local: over the generated tokens, so that quoting stays free
    # Keys what the engine remembers: what one scope has read is never seen, or timed, from another.
    scope: str = ""
    # If given, square brackets in the text hold nothing but these ids, with commas between several.
    ids: tuple[str, ...] = ()
    # If given, the text begins with one of these: without brackets, and none begins another.
    openings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """What a generation took. Each is None until it is known; a remote server tells at the end, or never."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None  # of the prompt, served from the cache
    seconds_to_first_token: float | None = None
    written_tokens: int | None = None
    is_cut: bool = False  # it came to the limit of its tokens before its own end


class Stream(Protocol):
    """Pieces of text, never half a character. Closing it ends the generation.

    Raises Cancelled, ContextTooLong, Unavailable (also when the deadline passes), BadReply.
    """

    @property
    def usage(self) -> Usage:
        """As far as it is known now."""

    def __iter__(self) -> Iterator[str]: ...

    def __next__(self) -> str: ...

    def close(self) -> None: ...


class Generator(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int:
        """Tokens of prompt and answer together."""

    def count_tokens(self, text: str) -> int:
        """Exact where the tokenizer is here, else an estimate that rather errs upwards."""

    def stream(self, messages: Sequence[Message], options: Options, cancelled: Callable[[], bool]) -> Stream:
        """Nothing is done before the first piece is asked for.

        `cancelled` is asked in the caller's own thread, at least every 50 ms while the caller waits.
        """

    def warm(self, messages: Sequence[Message], scope: str, cancelled: Callable[[], bool]) -> Usage:
        """Read a prompt and remember it, so that a stream whose prompt begins the same starts at once.

        Give the messages without what belongs to one question: the last one ends where they begin to differ.
        Raises as a stream does.
        """

    def forget(self, scope: str) -> None:
        """What was read for this scope is no longer known here, in memory or on disk.

        A server that cannot forget is left alone: what it has read is found by nobody without the scope, and
        runs out. Raises InferenceError where it could but did not.
        """


def open_generator(config: GeneratorConfig) -> Generator:
    """Raises ModelMissing. Imports torch only here, so that a web process starts quickly."""
    if config.url:
        from inference.generator.remote import RemoteGenerator

        return RemoteGenerator(config)
    from inference.generator.local import LocalGenerator

    return LocalGenerator(config)
