"""OpenAI's wire format from the client's side: addresses, keys, and errors made typed."""

import json
import math
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from inference.errors import BadReply, ContextTooLong, InferenceError, Unavailable

LONGEST_LINE = 1 << 20  # bytes of one event of a stream
LONGEST_WAIT = 86_400.0  # seconds
LONGEST_REASON = 300  # characters of the server's own words shown to people
# Servers differ in their wording: OpenAI's code, the phrases of vLLM, SGLang and Ollama.
TOO_LONG = (
    "context_length_exceeded",
    "maximum context length",
    "longer than the model's context",
    "max_model_len",
)


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificates (SSL_CERT_FILE is honoured), read once: it takes tens of milliseconds."""
    return ssl.create_default_context()


def client_options(url: str, api_key: str, timeout_seconds: float) -> dict[str, Any]:
    """For httpx.Client or AsyncClient. No proxy from the environment: texts go to this address only."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = httpx.Timeout(timeout_seconds, connect=min(10.0, timeout_seconds))
    return {
        "base_url": base(url),
        "headers": headers,
        "timeout": timeout,
        "verify": _trust(),
        "trust_env": False,
    }


def base(url: str) -> str:
    """The address without its /v1, which people give or leave out."""
    return url.rstrip("/").removesuffix("/v1")


def host_of(url: str) -> str:
    """Host and port, as they may be shown: without the name and password that an address can hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


@contextmanager
def typed_errors(url: str) -> Iterator[None]:
    """Turn httpx's errors into ours."""
    host = host_of(url)
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unavailable(f"The inference server at {host} did not answer in time.") from error
    except httpx.TransportError as error:
        raise Unavailable(f"The inference server at {host} cannot be reached: {error}.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BadReply(f"The inference server at {host} sent a broken reply: {error}.") from error


def problem(host: str, status: int, body: str, retry_after: str | None = None) -> InferenceError:
    """The error that a reply with this status means."""
    reason = _reason(body)
    if status in {401, 403}:
        return InferenceError(
            f"The inference server at {host} refused the API key ({status}). {reason}".strip()
        )
    if _means_too_long(body):
        return ContextTooLong(f"The question and its documents exceed the model's window. {reason}".strip())
    if status in {408, 425, 429} or status >= 500:
        return Unavailable(
            f"The inference server at {host} is busy or failing ({status}). {reason}".strip(),
            _seconds(retry_after),
        )
    return InferenceError(f"The inference server at {host} refused the request ({status}). {reason}".strip())


def without_key(body: str, authorization: str) -> str:
    """What a server says, but for the key that was sent: some repeat it when they refuse it."""
    key = authorization.partition(" ")[2]
    return body.replace(key, "…") if key else body


def raise_for_status(response: httpx.Response) -> None:
    """The body must have been read."""
    if response.status_code != httpx.codes.OK:
        waiting = response.headers.get("retry-after")
        body = without_key(response.text, response.request.headers.get("authorization", ""))
        raise problem(response.url.netloc.decode(), response.status_code, body, waiting)


def parse(body: str | bytes, host: str) -> dict[str, Any]:
    """A JSON object, or BadReply."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadReply(f"The inference server at {host} sent something that is not JSON.") from error
    if not isinstance(value, dict):
        raise BadReply(f"The inference server at {host} sent something that is not an object.")
    return value


def request(
    client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One call and its JSON object."""
    url = str(client.base_url)
    with typed_errors(url):
        response = client.request(method, path, json=body)
    raise_for_status(response)
    return parse(response.content, host_of(url))


async def lines(response: httpx.Response) -> AsyncIterator[str]:
    """Of a reply that is read while it comes. Raises BadReply where one has no end."""
    begun = b""
    async for part in response.aiter_bytes():
        *whole, begun = (begun + part).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
        if len(begun) > LONGEST_LINE:
            raise BadReply(f"The inference server at {response.url.netloc.decode()} sent a line without end.")
    yield begun.decode(errors="replace")


def models(client: httpx.Client) -> list[dict[str, Any]]:
    """The entries of /v1/models."""
    data = request(client, "GET", "/v1/models").get("data")
    if not isinstance(data, list):
        raise BadReply("The inference server lists no models.")
    return [entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


def _reason(body: str) -> str:
    """The server's own words; OpenAI's form, or whatever short text there is."""
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    error = value.get("error", value) if isinstance(value, dict) else value
    text = error.get("message", "") if isinstance(error, dict) else error
    return str(text)[:LONGEST_REASON]


def _means_too_long(body: str) -> bool:
    lower = body.lower()
    return any(mark in lower for mark in TOO_LONG)


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is not used by inference servers."""
    try:
        told = float(header or "")
    except ValueError:
        return None
    return min(max(0.0, told), LONGEST_WAIT) if math.isfinite(told) else None
