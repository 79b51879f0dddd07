"""The statements in passages with their vectors; what was embedded for one question is kept for the next."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
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

KEPT = 8_000  # passages; about 40 MB
LEAST_WORDS = 4
Spans = list[sentences.Span]


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
        self._kept: OrderedDict[UUID, NDArray[np.float16]] = OrderedDict()
        self._lock = Lock()

    def of(self, passages: Sequence[Passage]) -> Candidates:
        """The statements of these passages; what overlapping passages share comes twice."""
        spans = {passage.pk: _statements(passage.text) for passage in passages}
        worth = [passage for passage in passages if spans[passage.pk]]
        vectors = self._vectors(worth, spans)
        rows = [(passage, span) for passage in worth for span in spans[passage.pk]]
        return Candidates(
            passages=[passage for passage, _ in rows],
            spans=[span for _, span in rows],
            texts=[span.of(passage.text) for passage, span in rows],
            vectors=np.concatenate([vectors[passage.pk] for passage in worth]).astype(np.float32)
            if worth
            else np.zeros((0, 1), np.float32),
        )

    def _vectors(
        self, passages: Sequence[Passage], spans: Mapping[UUID, Spans]
    ) -> dict[UUID, NDArray[np.float16]]:
        with self._lock:
            found = {passage.pk: self._kept[passage.pk] for passage in passages if passage.pk in self._kept}
        new = [passage for passage in passages if passage.pk not in found]
        texts = [span.of(passage.text) for passage in new for span in spans[passage.pk]]
        if texts:
            made = self._embedder.embed_passages(texts).astype(np.float16)
            borders = np.cumsum([len(spans[passage.pk]) for passage in new])[:-1]
            found |= dict(zip([passage.pk for passage in new], np.split(made, borders), strict=True))
        self._keep(found)
        return found

    def _keep(self, found: Mapping[UUID, NDArray[np.float16]]) -> None:
        with self._lock:
            for pk, vectors in found.items():
                self._kept[pk] = vectors
                self._kept.move_to_end(pk)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


_of: WeakKeyDictionary[Embedder, Statements] = WeakKeyDictionary()


def statements(embedder: Embedder) -> Statements:
    return _of.setdefault(embedder, Statements(embedder))


def _statements(text: str) -> Spans:
    """The spans that say something: no page numbers, no headings of a word or two."""
    spans = sentences.split(text)
    return [span for span in spans if len(highlight.WORD.findall(span.of(text))) >= LEAST_WORDS]
