"""Any server that speaks OpenAI's chat API: vLLM, SGLang, Ollama, `python -m inference.server`."""

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property
from typing import Any
from weakref import finalize

import httpx

from inference import wire
from inference.errors import BadReply, Cancelled, InferenceError, Unavailable
from inference.generator import GeneratorConfig, Message, Options, Usage
from inference.generator.pattern import DIALECTS, pattern
from inference.generator.pump import POLL_SECONDS, Gone, Pumped, Put

logger = logging.getLogger(__name__)

DEFAULT_WINDOW = 8192
FORGET_PATH = "/v1/cache/forget"
FORGET_SECONDS = 5.0
UNKNOWN_STATUSES = {404, 405, 501}  # what servers say to an address that they do not know
NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # no database takes these
COUNTS = range(1 << 31)  # of tokens
LETTERS = re.compile(r"[A-Za-z ]")
LETTERS_PER_TOKEN = 3
TOKENS_PER_FOREIGN_CHARACTER = 2


class RemoteGenerator:
    """Thread-safe. Opening it calls nobody; the first use does."""

    def __init__(self, config: GeneratorConfig) -> None:
        self._config = config
        self._host = wire.host_of(config.url)
        self._options = wire.client_options(config.url, config.api_key, config.timeout_seconds)
        self._client = httpx.Client(**self._options)
        self._said: set[str] = set()  # warnings
        finalize(self, self._client.close)

    @cached_property
    def name(self) -> str:
        """The model asked for; without one, the first that the server lists as able to write."""
        if self._config.model:
            return self._config.model
        entries = [e for e in wire.models(self._client) if "embed" not in str(e.get("task", ""))]
        if not entries:
            raise BadReply("The inference server lists no models. Set the generator's model.")
        return str(entries[0]["id"])

    @cached_property
    def window(self) -> int:
        """As configured, else what the server says (max_model_len, which vLLM and SGLang tell), else 8192."""
        if self._config.window:
            return self._config.window
        try:
            entries = wire.models(self._client)
        except Unavailable:
            raise
        except InferenceError:  # not every server lists its models
            return DEFAULT_WINDOW
        told = next((e.get("max_model_len") for e in entries if e["id"] == self.name), None)
        return told if isinstance(told, int) and told > 0 else DEFAULT_WINDOW

    def count_tokens(self, text: str) -> int:
        """An estimate, since the tokenizer is elsewhere; rather too high than too low.

        ASCII letters and spaces: three to a token (English has four to five, German in a tokenizer made for
        English two and a half). Digits, punctuation, line breaks: one each, since many tokenizers split them.
        Other characters: two each.
        """
        letters = len(LETTERS.findall(text))
        foreign = sum(not character.isascii() for character in text)
        single = len(text) - letters - foreign
        return math.ceil(letters / LETTERS_PER_TOKEN + single + foreign * TOKENS_PER_FOREIGN_CHARACTER)

    def stream(self, messages: Sequence[Message], options: Options, cancelled: Callable[[], bool]) -> Pumped:
        def produce(stream: Pumped, put: Put, gone: Gone) -> None:
            body = _body(self.name, messages, options, self._config.dialect)
            with wire.typed_errors(self._config.url):
                asyncio.run(self._watched(body, stream, put, gone))

        return Pumped(produce, cancelled, options.deadline_seconds)

    def warm(self, messages: Sequence[Message], scope: str, cancelled: Callable[[], bool]) -> Usage:
        """By an answer of one token: whether the server remembers is its own affair."""
        options = Options(max_tokens=1, scope=scope, deadline_seconds=self._config.timeout_seconds)
        stream = self.stream(messages, options, cancelled)
        for _ in stream:
            pass
        return stream.usage

    def forget(self, scope: str) -> None:
        """Ask the server to: our own does."""
        with wire.typed_errors(self._config.url):
            reply = self._client.post(FORGET_PATH, json={"cache_salt": scope}, timeout=FORGET_SECONDS)
        if reply.status_code in UNKNOWN_STATUSES:
            self._say_once("keeps what it has read until it runs out: it knows no way to forget it")
        elif not reply.is_success:
            wire.raise_for_status(reply)

    def _say_once(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            logger.warning("The inference server at %s %s.", self._host, words)

    async def _watched(self, body: dict[str, Any], stream: Pumped, put: Put, gone: Gone) -> None:
        """Read the reply; when the caller goes, hang up at once, even while the server is silent."""
        reading = asyncio.create_task(self._read(body, stream, put))
        while not reading.done():
            await asyncio.wait({reading}, timeout=POLL_SECONDS)
            if gone():
                reading.cancel()
        if reading.cancelled():
            raise Cancelled
        reading.result()

    async def _read(self, body: dict[str, Any], stream: Pumped, put: Put) -> None:
        async with (
            httpx.AsyncClient(**self._options) as client,
            client.stream("POST", "/v1/chat/completions", json=body) as response,
        ):
            if response.status_code != httpx.codes.OK:
                await response.aread()
                wire.raise_for_status(response)
            async for piece in self._pieces(response, stream):
                put(piece)

    async def _pieces(self, response: httpx.Response, stream: Pumped) -> AsyncIterator[str]:
        """The text of each event. A reply without its end is an error, lest half an answer pass for one."""
        finished = False
        async for line in wire.lines(response):
            data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
            if data == "[DONE]":
                return
            if not data:
                continue
            event = self._parsed(data)
            stream.tell(**_usage(event))
            text, ended = self._event(event)
            finished = finished or bool(ended)
            if ended:
                stream.tell(is_cut=ended == "length")
            if text:
                yield text
        if not finished:
            raise Unavailable(f"The reply of the inference server at {self._host} broke off.")

    def _parsed(self, data: str) -> dict[str, Any]:
        """An event, unless it tells an error."""
        event = wire.parse(data, self._host)
        error = event.get("error")
        if not error:
            return event
        code = error.get("code") if isinstance(error, dict) else None
        told = wire.without_key(data, str(self._options["headers"].get("Authorization", "")))
        raise wire.problem(self._host, code if isinstance(code, int) else 503, told)

    def _event(self, event: dict[str, Any]) -> tuple[str, str]:
        """Text of one event, and why it ends the answer; nothing while it goes on."""
        try:
            choices = event["choices"]
            if not choices:  # the closing event with the usage
                return "", ""
            text = (choices[0].get("delta") or {}).get("content") or ""
            return NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text), str(choices[0].get("finish_reason") or "")
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise BadReply(f"The inference server at {self._host} sent an event without text.") from error


def _usage(event: dict[str, Any]) -> dict[str, int]:
    """What an event tells of it; servers differ in how much they tell."""
    told = event.get("usage")
    if not isinstance(told, dict):
        return {}
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    known = {
        "prompt_tokens": told.get("prompt_tokens"),
        "cached_tokens": cached,
        "written_tokens": told.get("completion_tokens"),
    }
    return {name: count for name, count in known.items() if isinstance(count, int) and count in COUNTS}


def _body(model: str, messages: Sequence[Message], options: Options, dialect: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if options.stop:
        body["stop"] = list(options.stop)
    if options.repetition_penalty != 1.0:  # an extension of vLLM and SGLang: sent only where it is wanted
        body["repetition_penalty"] = options.repetition_penalty
    if options.scope:  # vLLM, SGLang and our own server: no prefix is shared between salts
        body["cache_salt"] = options.scope
    if not dialect and any(message.sections for message in messages):  # our own server's; others ignore it
        body["section_ends"] = [list(message.sections) for message in messages]
    return body | _form(options, dialect)


def _form(options: Options, dialect: str) -> dict[str, Any]:
    """The form of the text, as the server knows it: in the words of ours, which others ignore, or its own."""
    if dialect and (options.ids or options.openings):
        return DIALECTS[dialect](pattern(options.ids, options.openings))
    told = {"citation_ids": options.ids, "openings": options.openings}
    return {name: list(texts) for name, texts in told.items() if texts and not dialect}
