"""Why a file cannot be read. Permanent: trying again changes nothing, a person must act."""

from typing import Literal

Code = Literal[
    "empty", "unsupported", "encrypted", "damaged", "too_large", "too_many_pages", "bomb", "unsafe_archive",
    "timeout", "memory", "crashed",
]  # fmt: skip


class ParseError(Exception):
    """`message` is one sentence that a paralegal understands and can act on."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ParserKilled(ParseError):
    """The sandbox ended the parser: "timeout", "memory", or "crashed"."""
