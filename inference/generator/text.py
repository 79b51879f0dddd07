"""The text side of generation: chat template, token counts, text out of tokens, stop strings."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from inference.generator import Message

END_OF_TURN = (
    "<|im_end|>",
    "<|eot_id|>",
    "<end_of_turn>",
    "<turn|>",
    "<|end|>",
    "<|return|>",
    "<|END_OF_TURN_TOKEN|>",
)
BROKEN = "\ufffd"  # what a decoder writes for bytes that are not a character yet


class Script:
    """Messages into token ids, by the tokenizer's own chat template or a plain one."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        marks = sorted((t.content for t in tokenizer.added_tokens_decoder.values() if t.special), key=len)
        self._marks = re.compile("|".join(re.escape(mark) for mark in reversed(marks)) or r"(?!)")

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids up to the point where the assistant speaks."""
        return self._ids(self._text(messages), special=not self.tokenizer.chat_template)

    def sections(self, messages: Sequence[Message]) -> list[int]:
        """As sectioned(), without the prompt."""
        return self.sectioned(messages)[1]

    def sectioned(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """The prompt, and the numbers of its tokens with which a message ends, or a section of it.

        None where the tokenizer does not tell which characters a token stands for.
        """
        if not self.tokenizer.is_fast:
            return self.prompt(messages), []
        text, special = self._text(messages), not self.tokenizer.chat_template
        coded = self.tokenizer(text, add_special_tokens=special, return_offsets_mapping=True, verbose=False)
        stops = [stop for _, stop in coded["offset_mapping"]]
        ends = {bisect_right(stops, end) for end in self._section_ends(text, messages)}
        return list(coded["input_ids"]), sorted(ends - {0})

    def _section_ends(self, text: str, messages: Sequence[Message]) -> Iterator[int]:
        """In characters of the prompt; before white space, since that may form a token with what follows."""
        at = 0
        for message in messages:
            cuts = sorted({0, *message.sections, len(message.content)})
            parts = [self._harmless(message.content[start:stop]) for start, stop in pairwise(cuts)]
            content = "".join(parts)
            found = text.find(content.strip(), at)
            if found < 0:  # the template writes it otherwise
                continue
            at = found - (len(content) - len(content.lstrip()))
            for part in parts:
                yield at + len(part.rstrip())
                at += len(part)
            at = found + len(content.strip())

    def _text(self, messages: Sequence[Message]) -> str:
        turns = [{"role": m.role, "content": self._harmless(m.content)} for m in messages]
        return self._templated(turns) if self.tokenizer.chat_template else _plain(turns)

    def beginning(self, messages: Sequence[Message], prompt: Sequence[int] | None = None) -> list[int]:
        """Token ids that any prompt has whose last message goes on from the last of these.

        prompt: of these messages, where it is known.
        """
        longer = [*messages[:-1], Message(messages[-1].role, messages[-1].content + "\n\n.")]
        pairs = zip(prompt or self.prompt(messages), self.prompt(longer), strict=False)
        return [token for token, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]

    def count(self, text: str) -> int:
        return len(self._ids(self._harmless(text), special=False))

    def ends(self) -> frozenset[int]:
        """Tokens that end a turn: the tokenizer's own end, and those that its template writes."""
        template = self.tokenizer.chat_template
        names = [mark for mark in END_OF_TURN if mark in str(template or "")]
        known = self.tokenizer.get_vocab()
        found = [known.get(name) for name in names] + [self.tokenizer.eos_token_id]
        return frozenset(token for token in found if isinstance(token, int))

    def _templated(self, turns: list[dict[str, str]]) -> str:
        """Some templates refuse a system message; then it leads the first message of the user."""
        try:
            return self._apply(turns)
        except TemplateError:
            if len(turns) < 2 or turns[0]["role"] != "system":
                raise
            first = {"role": "user", "content": turns[0]["content"] + "\n\n" + turns[1]["content"]}
            return self._apply([first, *turns[2:]])

    def _apply(self, turns: list[dict[str, str]]) -> str:
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return str(text)

    def _ids(self, text: str, *, special: bool) -> list[int]:
        """special: add the tokens that start a text (a chat template writes them itself)."""
        return list(self.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"])

    def _harmless(self, text: str) -> str:
        """A document with the marks of the chat format in it must not be able to end its turn and speak."""
        return self._marks.sub(lambda found: found[0][0] + " " + found[0][1:], text)


def _plain(turns: list[dict[str, str]]) -> str:
    """For models without a chat template."""
    body = "".join(f"{turn['role'].capitalize()}: {turn['content'].strip()}\n\n" for turn in turns)
    return body + "Assistant:"


class Detokenizer:
    """Tokens into text as it becomes certain: a character made of several tokens waits for the last."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0  # the text of _ids[_start:_read] is context: a token's text depends on its neighbours
        self._read = 0

    def feed(self, token: int) -> str:
        self._ids.append(token)
        before = self._text(self._start, self._read)
        now = self._text(self._start, len(self._ids))
        if now.endswith(BROKEN) or len(now) <= len(before):
            return ""
        self._start, self._read = self._read, len(self._ids)
        return now[len(before) :]

    def finish(self) -> str:
        """What is left, without a character that never became whole."""
        before = self._text(self._start, self._read)
        return self._text(self._start, len(self._ids))[len(before) :].rstrip(BROKEN)

    def _text(self, start: int, stop: int) -> str:
        text: Any = self._tokenizer.decode(
            self._ids[start:stop], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)


class StopStrings:
    """Passes text on until a stop string appears, which may arrive in parts."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """What is certainly before any stop string. `found` tells whether one came."""
        self._held += text
        hits = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        if hits:
            self.found = True
            ready, self._held = self._held[: min(hits)], ""
            return ready
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready

    def finish(self) -> str:
        return self._held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text could be the beginning of the stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
