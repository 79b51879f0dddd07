"""What can go wrong with a model; the text of each error is written for people."""


class InferenceError(Exception):
    """Base of all; raised as it is for what a retry will not cure (a refused key, an unknown model)."""


class ModelMissing(InferenceError):
    """No usable model at that place: absent, pickled weights only, or one that needs its own code."""


class ContextTooLong(InferenceError):
    """Prompt and max_tokens together exceed the window."""


class Unavailable(InferenceError):
    """Transient: the server is down, slow or busy, or the deadline passed.

    retry_after: seconds the server asked us to wait, None where it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooSlow(Unavailable):
    """The deadline passed while it was at work: there is nothing wrong but the length of this request."""


class BadReply(InferenceError):
    """The server answered something that is not the protocol."""


class Cancelled(InferenceError):
    """The caller no longer wants the answer."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
