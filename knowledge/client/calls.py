"""One call of the API, and lists that come in pieces."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from knowledge.client.shapes import Shape

S = TypeVar("S", bound=Shape)


class Problem(Exception):
    """The service said no: RFC 9457 problem details."""

    def __init__(self, status: int, detail: str, more: dict[str, Any]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.more = more


class Calls:
    """`transport` leads the calls elsewhere: through a proxy, or to a service in this very process."""

    def __init__(
        self, url: str, token: str, *, seconds: float = 300.0, transport: httpx.BaseTransport | None = None
    ) -> None:
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
            response = self._http.get(following, params=params or None)
            if response.is_error:
                raise problem(response)
            yield from (shape.model_validate(row) for row in response.json())
            following, params = response.links.get("next", {}).get("url"), {}

    def _bytes(self, path: str, **params: Any) -> bytes:
        response = self._http.get(path, params=params)
        if response.is_error:
            raise problem(response)
        return response.content

    def _told(self, method: str, path: str, **words: Any) -> Any:
        response = self._http.request(method, path, **words)
        if response.is_error:
            raise problem(response)
        return response.json() if response.content else None


def problem(response: httpx.Response) -> Problem:
    try:
        told = response.json()
    except ValueError:
        told = {}
    return Problem(response.status_code, str(told.get("detail", response.reason_phrase)), told)
