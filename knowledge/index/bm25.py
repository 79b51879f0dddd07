"""Sparse BM25 vectors, one implementation for the embedded index and for a server.

Term ids and weights are those of Qdrant's own BM25; the engine adds inverse document frequency.
"""

from functools import cache

from qdrant_edge import Bm25, Bm25Config


def document(text: str) -> tuple[list[int], list[float]]:
    """Term ids and weights of a passage; empty when it has no word."""
    sparse = _model().embed_document(text)
    return list(sparse.indices), list(sparse.values)


def query(text: str) -> tuple[list[int], list[float]]:
    """Term ids of a query; empty when it has stop words only."""
    sparse = _model().embed_query(text)
    return list(sparse.indices), list(sparse.values)


@cache
def _model() -> Bm25:
    return Bm25(Bm25Config(language="english"))
