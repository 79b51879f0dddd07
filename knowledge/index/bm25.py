"""Sparse BM25 vectors, one implementation for the embedded index and for a server.

Term ids and weights are those of Qdrant's own BM25; the engine adds inverse document frequency. Its words are
runs of letters and digits, so what legal text writes with marks is said once more as one word.
"""

import re
from functools import cache

from qdrant_edge import Bm25, Bm25Config

PASSAGE_WORDS, NAMES_WORDS = 64.0, 400.0  # usual length, by which longer texts are discounted

# "§ 14.2(b)", "Section 5.2", "28 U.S.C. § 1331", "17 C.F.R. 240.10b-5": the number with its parts
_SECTION = re.compile(
    r"(?:§+|\b(?:[Ss]ections?|[Aa]rticles?|[Cc]lauses?|[Rr]ules?|Art\.|Sec\.|C\.F\.R\.))\s*(\d[\w.\-]*(?:\(\w{1,4}\))*)"
)
_ABBREVIATION = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_NUMBER = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_HYPHENATED = re.compile(r"\b[A-Za-z]{2,}(?:-[A-Za-z]{2,}){1,2}\b")
_MARKS = re.compile(r"[\W_]+")


def document(text: str) -> tuple[list[int], list[float]]:
    """Term ids and weights of a passage; empty when it has no word."""
    sparse = _model(PASSAGE_WORDS).embed_document(legal(text))
    return list(sparse.indices), list(sparse.values)


def names(text: str) -> tuple[list[int], list[float]]:
    """Term ids and weights of what a document is called; empty when it is called nothing."""
    sparse = _model(NAMES_WORDS).embed_document(text)
    return list(sparse.indices), list(sparse.values)


def query(text: str) -> tuple[list[int], list[float]]:
    """Term ids of a query; empty when it has stop words only."""
    sparse = _model(PASSAGE_WORDS).embed_query(legal(text))
    return list(sparse.indices), list(sparse.values)


def legal(text: str) -> str:
    """The text, and behind it once more what it writes with marks: "Section 5.2(b)" as "sec5x2xb"."""
    said = [f"sec{_MARKS.sub('x', found.group(1)).strip('x')}" for found in _SECTION.finditer(text)]
    said += [_MARKS.sub("", found) for found in _ABBREVIATION.findall(text)]
    said += [found.replace(",", "") for found in _NUMBER.findall(text)]
    said += [found.replace("-", "") for found in _HYPHENATED.findall(text)]
    return f"{text} {' '.join(said)}" if said else text


@cache
def _model(usual: float) -> Bm25:
    return Bm25(Bm25Config(language="english", avg_len=usual))
