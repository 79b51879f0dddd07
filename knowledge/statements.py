"""The statements in passages with their vectors; what was embedded for one question is kept for the next."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from uuid import UUID
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from inference.embedder import Embedder
from knowledge import highlight, sentences
from knowledge.models import Passage
from knowledge.quotes import Quote

KEPT = 40_000  # statements; about 40 MB
LEAST_WORDS = 4
Spans = list[sentences.Span]
Key = tuple[UUID, int]  # a passage, and where in it the statement starts


@dataclass(frozen=True)
class Candidates:
    """Statement i is `spans[i]` of `passages[i]`."""

    passages: list[Passage]
    spans: Spans
    texts: list[str]
    vectors: NDArray[np.float32]  # (N, dimensions)

    def quote(self, place: int, score: float) -> Quote:
        passage, span = self.passages[place], self.spans[place]
        return Quote(passage, passage.start + span.start, passage.start + span.end, self.texts[place], score)


class Statements:
    """Of one embedder. A passage never changes, so its vectors are true for as long as they are kept."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: OrderedDict[Key, NDArray[np.float16]] = OrderedDict()
        self._lock = Lock()

    def of(self, passages: Sequence[Passage], fits: Callable[[str], bool] = lambda _: True) -> Candidates:
        """The statements of these passages that fit; what overlapping passages share comes twice."""
        rows = [
            (passage, span)
            for passage in passages
            for span in _statements(passage.text)
            if fits(span.of(passage.text))
        ]
        texts = [span.of(passage.text) for passage, span in rows]
        return Candidates(
            passages=[passage for passage, _ in rows],
            spans=[span for _, span in rows],
            texts=texts,
            vectors=self._vectors([(passage.pk, span.start) for passage, span in rows], texts),
        )

    def _vectors(self, keys: Sequence[Key], texts: Sequence[str]) -> NDArray[np.float32]:
        if not keys:
            return np.zeros((0, 1), np.float32)
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            made = self._embedder.embed_passages(list(new.values())).astype(np.float16)
            found |= dict(zip(new, made, strict=True))
        self._keep(found)
        return np.stack([found[key] for key in keys]).astype(np.float32)

    def _keep(self, found: dict[Key, NDArray[np.float16]]) -> None:
        with self._lock:
            for key, vector in found.items():
                self._kept[key] = vector
                self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


_of: WeakKeyDictionary[Embedder, Statements] = WeakKeyDictionary()


def statements(embedder: Embedder) -> Statements:
    return _of.setdefault(embedder, Statements(embedder))


def _statements(text: str) -> Spans:
    """The spans that say something: no page numbers, no headings of a word or two."""
    spans = sentences.split(text)
    return [span for span in spans if len(highlight.WORD.findall(span.of(text))) >= LEAST_WORDS]
