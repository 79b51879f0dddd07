"""The form of a text (form.py) as a regular expression, for servers that constrain what they write by one.

Only what every engine for such patterns knows: classes, groups, alternatives, `*`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

SPECIAL = re.compile(r"[\\.^$*+?{}\[\]()|]")
# How each server wants the pattern, in the body of a chat completion.
DIALECTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "vllm": lambda pattern: {"structured_outputs": {"regex": pattern}},
    "vllm-0.11": lambda pattern: {"guided_regex": pattern},  # and before
    "sglang": lambda pattern: {"regex": pattern},
}


def pattern(ids: Sequence[str], openings: Sequence[str] = ()) -> str:
    """For the whole text, of any letters and lines.

    It lets through what Form does, and one thing more: an id twice in one bracket. To forbid that it would
    have to spell out every order of the ids.
    """
    known = _any_of(ids)
    rest = rf"(?:[^\[]|\[{known}(?:, *{known})*\])*" if ids else r"(?:.|\n)*"
    return (_any_of(openings) if openings else "") + rest


def _any_of(texts: Sequence[str]) -> str:
    return f"(?:{'|'.join(SPECIAL.sub(lambda found: chr(92) + found[0], text) for text in texts)})"
