"""The form a text keeps, whatever its model would rather write.

It begins with one of some openings, and its square brackets hold known ids, several with commas between: no
citation can be invented. Without ids brackets hold anything, without openings it begins anyhow.
"""

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedTokenizerBase

FIRST = 64  # tokens looked at before all of them are
Open = tuple[str, ...] | None  # the ids in the open bracket, the last one unfinished; None: none is open
State = tuple[str | None, Open]  # what there is of the opening; None: it is complete
BROKEN: State = (None, ("]",))  # no id: the rule is broken
SPACES = {"Ġ": " ", "▁": " ", "Ċ": "\n"}  # how vocabularies write them


class Pieces:
    """The text of each token, and which tokens end a text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: frozenset[int]) -> None:
        names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        self._texts = [_text(name) for name in names]
        self.ends = ends

    def __getitem__(self, token: int) -> str:
        return self._texts[token] if token < len(self._texts) else ""


class Form:
    """The form of one text, and how far the text is in it."""

    def __init__(self, pieces: Pieces, ids: Sequence[str] = (), openings: Sequence[str] = ()) -> None:
        """openings: without brackets, and none begins another."""
        self._pieces = pieces
        self._ids, self._beginnings = frozenset(ids), _beginnings(ids)
        self._openings, self._begun = frozenset(openings), _beginnings(openings)
        self._state: State = ("" if openings else None, None)

    def choose(self, logits: Tensor) -> int:
        """The likeliest token (of (V,)) that is allowed. There always is one: an id can be finished."""
        for most in (FIRST, len(logits)):
            order = logits.topk(min(most, len(logits))).indices.tolist()
            for token in order:
                if self.allows(token):
                    return int(token)
        return int(logits.argmax())

    def allows(self, token: int) -> bool:
        if token in self._pieces.ends:
            return self._state == (None, None)
        return self._after(token) is not BROKEN

    def add(self, token: int) -> None:
        self._state = self._after(token)

    def _after(self, token: int) -> State:
        """One without text gets an opening no further, so there it is not allowed."""
        begun, opened = self._state
        piece = self._pieces[token]
        if begun is not None and not piece:
            return BROKEN
        state: State = begun, opened
        for character in piece:
            state = self._step(state, character)
            if state is BROKEN:
                break
        return state

    def _step(self, state: State, character: str) -> State:
        begun, opened = state
        if begun is not None:
            begun += character
            return BROKEN if begun not in self._begun else (None if begun in self._openings else begun, None)
        if not self._ids:
            return state
        after = self._in_brackets(opened, character)
        return BROKEN if after == BROKEN[1] else (None, after)

    def _in_brackets(self, opened: Open, character: str) -> Open:
        if opened is None:
            return ("",) if character == "[" else None
        done, last = opened[:-1], opened[-1]
        whole = last in self._ids and last not in done  # each id once, so that a bracket comes to its end
        if character == "]" and whole:
            return None
        if character == "," and whole and len(opened) < len(self._ids):
            return (*opened, "")
        if character == " " and done and not last:
            return opened
        return (*done, last + character) if last + character in self._beginnings else BROKEN[1]


def _beginnings(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(text[:n] for text in texts for n in range(len(text) + 1))


def _text(name: str | None) -> str:
    text = name or ""
    for mark, space in SPACES.items():
        text = text.replace(mark, space)
    return text
