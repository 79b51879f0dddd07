"""OpenAI's wire format from the server's side: what a request may hold, what a reply looks like."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from uuid import uuid4

from inference.errors import ContextTooLong, InferenceError, ModelMissing, Unavailable
from inference.generator import Message, Options, Usage

MOST_INPUTS = 2048  # texts in one call, as at OpenAI
MOST_TOKENS = 32_768
LONGEST_MARK = 64  # characters of an id or an opening
ROLES = {"system", "user", "assistant"}


class Refused(InferenceError):
    """The request is wrong."""

    def __init__(self, message: str, status: int = 400, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Chat:
    messages: tuple[Message, ...]
    options: Options
    stream: bool
    tells_usage: bool  # in a last event, as stream_options asked


def parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refused("The request is not JSON.") from error
    if not isinstance(value, dict):
        raise Refused("The request is not an object.")
    return value


def chat(body: dict[str, Any], deadline_seconds: float) -> Chat:
    """The parts we know; a client's other settings are ignored."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages must be a list that is not empty.")
    limit = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
    options = Options(
        max_tokens=int(_number(body, limit, 256, (1, MOST_TOKENS))),
        temperature=_number(body, "temperature", 0.0, (0.0, 2.0)),
        repetition_penalty=_number(body, "repetition_penalty", 1.0, (0.01, 10.0)),
        stop=tuple(_texts(body, "stop")),
        deadline_seconds=deadline_seconds,
        scope=_salt(body),
        ids=tuple(_marks(body, "citation_ids")),
        openings=_openings(body),
    )
    asked = body.get("stream_options")
    tells_usage = isinstance(asked, dict) and bool(asked.get("include_usage"))
    read = tuple(_in_sections(body, [_message(value) for value in messages]))
    return Chat(read, options, bool(body.get("stream")), tells_usage)


def inputs(body: dict[str, Any]) -> list[str]:
    """The texts to embed."""
    texts = _texts(body, "input")
    if not 0 < len(texts) <= MOST_INPUTS:
        raise Refused(f"input must have 1 to {MOST_INPUTS} texts.")
    return texts


@dataclass(frozen=True)
class Ranking:
    query: str
    documents: list[str]
    most: int


def ranking(body: dict[str, Any]) -> Ranking:
    """The question of a rerank call, in the form that Jina, Cohere, TEI and vLLM share."""
    documents = body.get("documents")
    if not isinstance(documents, list) or not 0 < len(documents) <= MOST_INPUTS:
        raise Refused(f"documents must be a list of 1 to {MOST_INPUTS}.")
    texts: list[Any] = [d.get("text") if isinstance(d, dict) else d for d in documents]
    query = body.get("query")
    if not isinstance(query, str) or not all(isinstance(text, str) for text in texts):
        raise Refused("query and documents must be text.")
    return Ranking(query, texts, int(_number(body, "top_n", len(texts), (1, MOST_INPUTS))))


def ranked(name: str, asked: Ranking, scores: list[float]) -> dict[str, Any]:
    """Best first; equal scores stay in the order they came in."""
    order = sorted(range(len(scores)), key=lambda at: -scores[at])[: asked.most]
    results = [
        {"index": at, "relevance_score": scores[at], "document": {"text": asked.documents[at]}}
        for at in order
    ]
    return {"id": f"rerank-{uuid4().hex}", "model": name, "results": results}


def forgotten(body: dict[str, Any]) -> str:
    """The salt whose readings are to be forgotten."""
    salt = _salt(body)
    if not salt:
        raise Refused("cache_salt must say what to forget.")
    return salt


def metrics(counts: dict[str, int], gauges: dict[str, int]) -> str:
    """Prometheus' text format."""
    lines = []
    for kind, values, ending in (("counter", counts, "_total"), ("gauge", gauges, "")):
        for name, value in sorted(values.items()):
            full = f"pincite_generator_{name}{ending}"
            lines += [f"# TYPE {full} {kind}", f"{full} {value}"]
    return "".join(f"{line}\n" for line in lines)


def check_model(body: dict[str, Any], ours: str) -> None:
    """Never answer with another model than the one asked for: an index must not mix two."""
    asked = body.get("model")
    if asked and asked != ours:
        raise Refused(f"There is no model “{asked}” here, only “{ours}”.", 404, "model_not_found")


def error(problem: InferenceError) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    status, code = 500, "server_error"
    if isinstance(problem, Refused):
        status, code = problem.status, problem.code
    elif isinstance(problem, ContextTooLong):
        status, code = 400, "context_length_exceeded"
    elif isinstance(problem, ModelMissing):
        status, code = 404, "model_not_found"
    elif isinstance(problem, Unavailable):
        status, code = 503, "unavailable"
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return status, {"error": {"message": str(problem), "type": kind, "code": code}}


def embeddings(name: str, vectors: list[list[float]], tokens: int) -> dict[str, Any]:
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": name, "data": data, "usage": usage}


def completion(name: str, text: str, finish: str, taken: Usage) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        **_head(name, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage(taken),
    }


def usage(taken: Usage) -> dict[str, Any]:
    """OpenAI's form."""
    prompt, written = taken.prompt_tokens or 0, taken.written_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": taken.cached_tokens or 0},
    }


def last_chunk(head: dict[str, Any], taken: Usage) -> str:
    """The event that tells the usage, after the last text."""
    return event({**head, "choices": [], "usage": usage(taken)})


def chunk(head: dict[str, Any], text: str, finish: str | None = None) -> str:
    """One server-sent event."""
    delta = {"content": text} if text else {}
    return event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def chunk_head(name: str) -> dict[str, Any]:
    """What all events of one answer share."""
    return _head(name, "chat.completion.chunk")


def event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _head(name: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": name}


def _message(value: Any) -> Message:
    if not isinstance(value, dict) or value.get("role") not in ROLES:
        raise Refused("A message needs a role: system, user or assistant.")
    content = value.get("content")
    if isinstance(content, list):  # OpenAI's parts; only text is understood here
        content = _joined(content)
    if not isinstance(content, str):
        raise Refused("The content of a message must be text.")
    return Message(value["role"], content)


def _in_sections(body: dict[str, Any], messages: Sequence[Message]) -> Iterator[Message]:
    """section_ends: for each message the numbers of characters after which a section of it ends."""
    told = body.get("section_ends") or [[]] * len(messages)
    if not isinstance(told, list) or len(told) != len(messages):
        raise Refused("section_ends must be a list with a list for each message.")
    for message, ends in zip(messages, told, strict=True):
        if not isinstance(ends, list) or not all(_is_within(end, message.content) for end in ends):
            raise Refused("section_ends must hold numbers of characters of the messages.")
        yield replace(message, sections=tuple(ends))


def _is_within(end: Any, content: str) -> bool:
    return isinstance(end, int) and not isinstance(end, bool) and 0 < end <= len(content)


def _joined(parts: list[Any]) -> str | None:
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    known = [text for text in texts if isinstance(text, str)]
    return "".join(known) if len(known) == len(parts) else None


def _texts(body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name) or []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(f"{name} must be a string or a list of strings.")
    return texts


def _marks(body: dict[str, Any], name: str) -> list[str]:
    marks = _texts(body, name)
    if any(len(mark) > LONGEST_MARK for mark in marks):
        raise Refused(f"{name} must be texts of at most {LONGEST_MARK} characters.")
    return marks


def _openings(body: dict[str, Any]) -> tuple[str, ...]:
    """How the text may begin. Of two of which one begins the other it could not be told which it was."""
    openings = sorted(set(_marks(body, "openings")))
    begins = any(longer.startswith(shorter) for shorter, longer in pairwise(openings))
    if begins or any(not opening or "[" in opening for opening in openings):
        raise Refused("openings must be texts without brackets, of which none begins another.")
    return tuple(openings)


def _salt(body: dict[str, Any]) -> str:
    """vLLM's name for what keeps one tenant's cache from another."""
    value = body.get("cache_salt")
    if value is not None and not isinstance(value, str):
        raise Refused("cache_salt must be a string.")
    return value or ""


def _number(body: dict[str, Any], name: str, default: float, limits: tuple[float, float]) -> float:
    value = body.get(name)
    if value is None:
        return default
    least, most = limits
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Refused(f"{name} must be a number from {least:g} to {most:g}.")
    return value
