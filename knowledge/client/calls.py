"""One call of the API, and lists that come in pieces."""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from knowledge.client.shapes import Shape

S = TypeVar("S", bound=Shape)
LEAST_SECONDS = 0.1  # between two tries


class Problem(Exception):
    """The service said no: RFC 9457 problem details.

    retry_after: seconds after which to try again, None where the service does not say.
    """

    def __init__(
        self, status: int, detail: str, more: dict[str, Any], retry_after: int | None = None
    ) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.more = more
        self.retry_after = retry_after


class Calls:
    """`transport` leads the calls elsewhere: through a proxy, or to a service in this very process.

    `patience`: seconds that a call may wait in all where the service says to come back later. Only what
    may be repeated is tried again: anything that was refused as one call too many (429), and of what a part
    of the service was down for (503) anything but a POST.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        seconds: float = 300.0,
        patience: float = 0.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=seconds,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _all(self, path: str, shape: type[S], **params: Any) -> Iterator[S]:
        """Every row of a list, piece by piece."""
        following: str | None = path
        while following:
            response = self._sent("GET", following, params=params or None)
            if response.is_error:
                raise problem(response)
            yield from (shape.model_validate(row) for row in response.json())
            following, params = response.links.get("next", {}).get("url"), {}

    def _bytes(self, path: str, **params: Any) -> bytes:
        response = self._sent("GET", path, params=params)
        if response.is_error:
            raise problem(response)
        return response.content

    def _told(self, method: str, path: str, **words: Any) -> Any:
        response = self._sent(method, path, **words)
        if response.is_error:
            raise problem(response)
        return response.json() if response.content else None

    def _sent(self, method: str, path: str, *, stream: bool = False, **words: Any) -> httpx.Response:
        """With `stream` the body is not read yet, and the response is to be closed."""
        left = self._patience
        while True:
            response = self._http.send(self._http.build_request(method, path, **words), stream=stream)
            told = _retry_after(response)
            wait = max(LEAST_SECONDS, told or 0)
            if told is None or wait > left or not _may_repeat(response):
                return response
            response.close()
            time.sleep(wait)
            left -= wait


def problem(response: httpx.Response) -> Problem:
    try:
        told = response.json()
    except ValueError:
        told = {}
    detail = str(told.get("detail", response.reason_phrase))
    return Problem(response.status_code, detail, told, _retry_after(response))


def _retry_after(response: httpx.Response) -> int | None:
    told = response.headers.get("Retry-After", "")
    return int(told) if told.isdecimal() else None


def _may_repeat(response: httpx.Response) -> bool:
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return response.request.method != "POST"
    return response.status_code == httpx.codes.TOO_MANY_REQUESTS
