"""The ASGI app of the inference server: OpenAI's routes over our own models."""

import asyncio
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from inference import protocol
from inference.embedder import EmbedderConfig
from inference.errors import Cancelled, InferenceError
from inference.generator import GeneratorConfig, Stream, Usage
from inference.models import Models
from inference.protocol import Chat, Refused

MOST_BYTES = 64 * 1024 * 1024
RETRY_SECONDS = 5
POLL_SECONDS = 0.1
CLIENT_GONE = 499


@dataclass(frozen=True)
class ServerConfig:
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    api_key: str = field(default="", repr=False)
    most_waiting: int = 32  # generations at work or waiting; more are told to come back
    most_embedding: int = 16
    deadline_seconds: float = 600.0


class Places:
    """A bounded queue. Only the event loop's thread touches it."""

    def __init__(self, limit: int) -> None:
        self._free = limit

    @contextmanager
    def one(self) -> Iterator[None]:
        if self._free == 0:
            raise Refused("Too many requests are waiting. Try again soon.", 429, "rate_limit_exceeded")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


class Server:
    """The handlers, and what they share."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._models = Models(config.embedder, config.generator)
        self._writing = Places(config.most_waiting)
        self._embedding = Places(config.most_embedding)

    def app(self) -> Starlette:
        routes = [
            Route("/health", self.health),
            Route("/v1/models", self.list_models),
            Route("/v1/embeddings", self.embed, methods=["POST"]),
            Route("/v1/rerank", self.rerank, methods=["POST"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/cache/forget", self.forget, methods=["POST"]),
            Route("/metrics", self.metrics),
        ]
        handlers: Any = {InferenceError: _on_error, HTTPException: _on_http_error}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def health(self, request: Request) -> Response:  # noqa: ARG002  the router passes it
        return JSONResponse({"status": "ok"})

    async def list_models(self, request: Request) -> Response:
        self._check_key(request)
        embedder = await run_in_threadpool(self._models.embedder)
        generator = await run_in_threadpool(self._models.generator)
        data = [
            {"id": generator.name, "object": "model", "task": "generate", "max_model_len": generator.window},
            {"id": embedder.name, "object": "model", "task": "embed"},
        ]
        return JSONResponse({"object": "list", "data": data})

    async def embed(self, request: Request) -> Response:
        self._check_key(request)
        body = protocol.parse(await _body(request))
        texts = protocol.inputs(body)
        with self._embedding.one():
            embedder = await run_in_threadpool(self._models.embedder)
            protocol.check_model(body, embedder.name)
            vectors = await run_in_threadpool(embedder.embed_passages, texts)
        return JSONResponse(protocol.embeddings(embedder.name, vectors.tolist(), _words(texts)))

    async def rerank(self, request: Request) -> Response:
        """By the embedder: how near each document is to the query, from -1 to 1."""
        self._check_key(request)
        body = protocol.parse(await _body(request))
        asked = protocol.ranking(body)
        with self._embedding.one():
            embedder = await run_in_threadpool(self._models.embedder)
            protocol.check_model(body, embedder.name)
            query = await run_in_threadpool(embedder.embed_query, asked.query)
            documents = await run_in_threadpool(embedder.embed_passages, asked.documents)
        return JSONResponse(protocol.ranked(embedder.name, asked, (documents @ query).tolist()))

    async def forget(self, request: Request) -> Response:
        """What was read under this salt is no longer known here, in memory or on disk. Twice is as once."""
        self._check_key(request)
        salt = protocol.forgotten(protocol.parse(await _body(request)))
        await run_in_threadpool(self._models.forget, salt)
        return Response(status_code=204)

    async def metrics(self, request: Request) -> Response:
        """Of the generator, once it is in use."""
        self._check_key(request)
        generator = self._models.opened_generator()
        text = protocol.metrics(generator.counts(), generator.gauges()) if generator else ""
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def chat(self, request: Request) -> Response:
        self._check_key(request)
        body = protocol.parse(await _body(request))
        wanted = protocol.chat(body, self._config.deadline_seconds)
        generator = await run_in_threadpool(self._models.generator)
        protocol.check_model(body, generator.name)
        gone = Event()
        stream = generator.stream(wanted.messages, wanted.options, gone.is_set)
        pieces = self._pieces(request, stream, gone)
        # Awaited before the reply begins, so that what is wrong with the request still gets its own status.
        first = await anext(pieces, "")
        if wanted.stream:
            events = self._events(first, pieces, stream, wanted)
            return StreamingResponse(
                events, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
            )
        text = first + "".join([piece async for piece in pieces])
        finish = _finish(stream.usage)
        return JSONResponse(protocol.completion(generator.name, text, finish, stream.usage))

    async def _pieces(self, request: Request, stream: Stream, gone: Event) -> AsyncGenerator[str, None]:
        """The answer as it is written, until the client hangs up."""
        with self._writing.one():
            async with _watched(request, gone):
                async for piece in iterate_in_threadpool(stream):
                    yield piece

    async def _events(
        self, first: str, rest: AsyncIterator[str], stream: Stream, wanted: Chat
    ) -> AsyncIterator[str]:
        """Server-sent events. An error this late is an event too."""
        head = protocol.chunk_head(self._models.generator().name)
        try:
            yield protocol.chunk(head, first)
            async for piece in rest:
                yield protocol.chunk(head, piece)
        except InferenceError as problem:
            yield protocol.event(protocol.error(problem)[1])
        else:
            yield protocol.chunk(head, "", _finish(stream.usage))
            if wanted.tells_usage:
                yield protocol.last_chunk(head, stream.usage)
            yield "data: [DONE]\n\n"

    def _check_key(self, request: Request) -> None:
        if not self._config.api_key:
            return
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._config.api_key}".encode()):
            raise Refused("The API key is missing or wrong.", 401, "invalid_api_key")


def build_app(config: ServerConfig) -> Starlette:
    return Server(config).app()


@asynccontextmanager
async def _watched(request: Request, gone: Event) -> AsyncIterator[None]:
    """`gone` is set when the client has hung up, and at the end."""

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(POLL_SECONDS)
        gone.set()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        gone.set()
        watcher.cancel()


async def _body(request: Request) -> bytes:
    """The body, unless it is larger than any request needs to be."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise Refused("The request is too large.", 413)
        parts.append(part)
    return b"".join(parts)


async def _on_error(request: Request, problem: InferenceError) -> Response:  # noqa: ARG001  the router passes it
    if isinstance(problem, Cancelled):
        return Response(status_code=CLIENT_GONE)  # nobody reads it
    status, body = protocol.error(problem)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status in {429, 503} else {}
    return JSONResponse(body, status, headers)


async def _on_http_error(request: Request, problem: HTTPException) -> Response:  # noqa: ARG001  as above
    """Unknown addresses and methods, in the same form."""
    return JSONResponse(protocol.error(Refused(problem.detail, problem.status_code))[1], problem.status_code)


def _finish(taken: Usage) -> str:
    """OpenAI's finish_reason."""
    return "length" if taken.is_cut else "stop"


def _words(texts: list[str]) -> int:
    """The usage of an embedding call, in words: nobody is billed, and counting tokens would cost time."""
    return sum(len(text.split()) for text in texts)
