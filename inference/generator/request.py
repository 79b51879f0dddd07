"""One generation as its caller and the engine see it: tokens out, and whether anyone still waits for them."""

import math
import time
from collections.abc import Sequence
from queue import SimpleQueue

from inference.errors import InferenceError
from inference.generator.form import Form
from inference.generator.sampling import Sampling


class Request:
    """Made and read in the caller's thread, answered in the engine's."""

    def __init__(
        self,
        ids: Sequence[int],
        limit: int,
        sampling: Sampling,
        scope: str = "",
        deadline: float = math.inf,
        form: Form | None = None,
    ) -> None:
        """limit: tokens to write; 0 only reads. deadline: of time.monotonic()."""
        self.ids = list(ids)
        # Numbers of tokens after which another prompt may go on otherwise.
        self.sections: Sequence[int] = () if limit else (len(self.ids),)
        self.waits_for: Request | None = None  # it reads what this one needs too
        self.limit = limit
        self.sampling = sampling
        self.scope = scope
        self.deadline = deadline
        self.form = form
        self.cached = 0  # tokens of `ids` that need not be read
        self.is_closed = False
        self.is_forgotten = False  # its scope was, meanwhile: nothing of it is remembered
        self._tokens: SimpleQueue[int | BaseException | None] = SimpleQueue()

    @property
    def is_gone(self) -> bool:
        return self.is_closed or time.monotonic() > self.deadline

    def close(self) -> None:
        """The caller wants nothing more; the engine stops within a layer of its model."""
        self.is_closed = True

    def put(self, token: int) -> None:
        self._tokens.put(token)

    def end(self, error: BaseException | None = None) -> None:
        self._tokens.put(error)

    def get(self, seconds: float) -> int | None:
        """The next token, None at the end. Raises Empty, or what went wrong."""
        token = self._tokens.get(timeout=seconds)
        if isinstance(token, InferenceError):
            raise token
        if isinstance(token, BaseException):
            raise InferenceError(f"The model failed: {token}") from token
        return token

    def tokens(self) -> list[int]:
        """All of them, when it has ended: for tests and benchmarks, which wait."""
        written: list[int] = []
        while (token := self.get(600)) is not None:
            written.append(token)
        return written
