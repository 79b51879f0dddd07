"""Any server that speaks OpenAI's /v1/embeddings."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from weakref import finalize

import httpx
import numpy as np
from numpy.typing import NDArray

from inference import wire
from inference.embedder import EmbedderConfig
from inference.errors import BadReply


class RemoteEmbedder:
    """Thread-safe, as httpx.Client is. Opening it calls nobody; the first use does."""

    def __init__(self, config: EmbedderConfig) -> None:
        self._config = config
        self._client = httpx.Client(**wire.client_options(config.url, config.api_key, config.timeout_seconds))
        finalize(self, self._client.close)

    @cached_property
    def name(self) -> str:
        """The model asked for; without one, the first embedding model that the server lists."""
        if self._config.model:
            return self._config.model
        entries = wire.models(self._client)
        if not entries:
            raise BadReply("The embedding server lists no models. Set the embedder's model.")
        return str(next((e for e in entries if "embed" in str(e.get("task", ""))), entries[0])["id"])

    @cached_property
    def dimensions(self) -> int:
        return int(self.embed_query("dimensions").shape[0])

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) in the order of the texts."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        size = self._config.batch_size
        batches = [self._call(list(texts[i : i + size])) for i in range(0, len(texts), size)]
        if len({batch.shape[1] for batch in batches}) > 1:
            raise BadReply("The embedding server sent vectors of different lengths.")
        return np.concatenate(batches)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._call([text])[0]
        return vector

    def _call(self, texts: list[str]) -> NDArray[np.float32]:
        """(N, D), normalised here, because not every server does it."""
        body = {"model": self.name, "input": texts, "encoding_format": "float"}
        vectors = _vectors(wire.request(self._client, "POST", "/v1/embeddings", body), len(texts))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(vectors).all() or not (lengths > 0).all():
            raise BadReply("The embedding server sent a vector that is no direction.")
        unit: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
        return unit


def _vectors(reply: dict[str, Any], count: int) -> NDArray[np.float64]:
    """(count, D) in the order of the input, which `index` tells."""
    data = reply.get("data")
    try:
        entries = sorted(data or [], key=lambda entry: int(entry["index"]))
        vectors = np.asarray([entry["embedding"] for entry in entries], dtype=np.float64)
        positions = [int(entry["index"]) for entry in entries]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadReply("The embedding server sent no list of vectors.") from error
    if positions != list(range(count)) or vectors.ndim != 2 or vectors.shape[1] == 0:
        raise BadReply(f"The embedding server sent {len(positions)} vectors for {count} texts.")
    return vectors
