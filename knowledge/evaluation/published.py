"""Figures others have published, to stand beside ours. Precision and recall in percent, k results.

All of LegalBench-RAG-mini, 500-character chunks where not said otherwise.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    name: str
    source: str
    recall: dict[int, float]  # k → percent
    precision_at_1: float
    wrong_at_1: float | None = None


PUBLISHED = (
    Published(
        "naive chunks, text-embedding-3-large",
        "arXiv 2408.10343, Table 4",
        {1: 7.45, 4: 20.9, 8: 32.4, 16: 42.5, 32: 54.3, 64: 66.1},
        7.86,
    ),
    Published(
        "recursive chunks",
        "arXiv 2408.10343, Table 5",
        {1: 4.94, 4: 16.9, 8: 26.3, 16: 37.1, 32: 49.7, 64: 62.2},
        6.41,
    ),
    Published(
        "recursive chunks, Cohere reranker",
        "arXiv 2408.10343, Table 7",
        {1: 3.98, 4: 16.1, 8: 24.3, 16: 35.9, 32: 47.5, 64: 61.1},
        6.13,
    ),
    Published(
        "summary-augmented chunks, gte-large",
        "arXiv 2510.06999",
        {1: 15.4, 4: 29.7, 8: 38.3, 16: 46.3, 32: 54.6, 64: 60.9},
        20.2,
        22.4,
    ),
    Published("voyage-4, routing (2,048-character chunks)", "public result", {8: 70.7}, 32.0),
)
