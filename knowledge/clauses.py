"""Kinds of contract clauses, from `clauses.toml`: the names people ask by, and the wordings lawyers use."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from knowledge import sentences

PATH = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Clause:
    names: tuple[str, ...]
    sentences: tuple[str, ...]  # typical ones
    wording: re.Pattern[str]
    denial: re.Pattern[str] | None

    def is_named(self, plain: str) -> bool:
        """Whether a heading, made plain, has one of its names."""
        return any(name in plain for name in self.names)

    def is_worded(self, plain: str) -> bool:
        """Whether this text, made plain, is worded like the clause."""
        return bool(self.wording.search(plain)) and not self.is_denied(plain)

    def is_worded_in(self, text: str, also: Callable[[str], bool] = lambda _: True) -> bool:
        """Whether a sentence of the text is, and fits `also`; a denial elsewhere in it does not count."""
        if not self.wording.search(plainly(text)):
            return False
        said = (plainly(span.of(text)) for span in sentences.split(text))
        return any(self.is_worded(plain) and also(plain) for plain in said)

    def is_denied(self, plain: str) -> bool:
        """Whether it has the words and says the opposite."""
        return self.denial is not None and bool(self.denial.search(plain))


def plainly(text: str) -> str:
    """Lower case, single spaces, straight quotes and plain hyphens."""
    return " ".join(text.replace("’", "'").replace("‑", "-").replace("–", "-").lower().split())


@cache
def known() -> tuple[Clause, ...]:
    data = tomllib.loads(PATH.read_text(encoding="utf-8"))
    words: dict[str, str] = data["words"]
    return tuple(
        Clause(
            names=tuple(row["names"]),
            sentences=tuple(row.get("sentences", ())),
            wording=_pattern(row["wording"], words),
            denial=_pattern(row["denial"], words) if "denial" in row else None,
        )
        for row in data["clause"]
    )


def _pattern(alternatives: list[str], words: dict[str, str]) -> re.Pattern[str]:
    pattern = "|".join(alternatives)
    for name, meaning in words.items():
        pattern = pattern.replace(f"{{{name}}}", meaning)
    return re.compile(pattern)
