"""Texts into vectors: one protocol, a local and a remote implementation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EmbedderConfig:
    """With a url: a server that speaks OpenAI's /v1/embeddings. Without: `model` is a folder on disk."""

    url: str = ""
    model: str = ""  # "" = the default model (or the first one that the server lists)
    api_key: str = field(default="", repr=False)
    batch_size: int = 32
    device: str = ""  # "" = CUDA if there is one, else the CPU
    dtype: str = ""  # on a CPU, of the products of matrices: "" = bfloat16 where the processor has it
    timeout_seconds: float = 60.0


class Embedder(Protocol):
    """Vectors of length 1; name tells which model made them, so that an index never mixes two."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D), in the order of the texts; (0, D) for none."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(D,)"""


def open_embedder(config: EmbedderConfig) -> Embedder:
    """Raises ModelMissing. Imports torch only here, so that a web process starts quickly."""
    if config.url:
        from inference.embedder.remote import RemoteEmbedder

        return RemoteEmbedder(config)
    from inference.embedder.local import LocalEmbedder

    return LocalEmbedder(config)
