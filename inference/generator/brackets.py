"""Citations that cannot be invented: square brackets hold known ids, several of them with commas between."""

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedTokenizerBase

FIRST = 64  # tokens looked at before all of them are
Open = tuple[str, ...] | None  # the ids in the open bracket, the last one unfinished; None: none is open
BROKEN: Open = ("]",)  # no id: the rule is broken
SPACES = {"Ġ": " ", "▁": " ", "Ċ": "\n"}  # how vocabularies write them


class Pieces:
    """The text of each token, and which tokens end a text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: frozenset[int]) -> None:
        names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        self._texts = [_text(name) for name in names]
        self.ends = ends

    def __getitem__(self, token: int) -> str:
        return self._texts[token] if token < len(self._texts) else ""


class Brackets:
    """The rule for one text. It knows whether a bracket is open, and what is in it so far."""

    def __init__(self, ids: Sequence[str], pieces: Pieces) -> None:
        self._ids = frozenset(ids)
        self._beginnings = {name[:n] for name in ids for n in range(len(name) + 1)}
        self._pieces = pieces
        self._open: Open = None

    def choose(self, logits: Tensor) -> int:
        """The likeliest token (of (V,)) that the rule allows. There always is one: an id can be finished."""
        for most in (FIRST, len(logits)):
            order = logits.topk(min(most, len(logits))).indices.tolist()
            for token in order:
                if self.allows(token):
                    return int(token)
        return int(logits.argmax())

    def allows(self, token: int) -> bool:
        if token in self._pieces.ends:
            return self._open is None
        return self._after(token) is not BROKEN

    def add(self, token: int) -> None:
        self._open = self._after(token)

    def _after(self, token: int) -> Open:
        """What is open after the token."""
        opened = self._open
        for character in self._pieces[token]:
            opened = self._step(opened, character)
            if opened is BROKEN:
                break
        return opened

    def _step(self, opened: Open, character: str) -> Open:
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
        return (*done, last + character) if last + character in self._beginnings else BROKEN


def _text(name: str | None) -> str:
    text = name or ""
    for mark, space in SPACES.items():
        text = text.replace(mark, space)
    return text
