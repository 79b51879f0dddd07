"""Reading pictures of text: RapidOCR with its wheel's models, in reading order, a box per character."""

import logging
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_CONFIDENCE = 0.5
THREADS = 2


@dataclass(frozen=True)
class Read:
    text: str  # lines, each ended
    confidence: float  # mean over the characters, 0 to 1
    boxes: NDArray[np.float64]  # (characters, 4): x0, y0, x1, y1 in pixels; a line's box shared out evenly


NOTHING = Read("", 0.0, np.zeros((0, 4)))


@dataclass(frozen=True)
class _Line:
    text: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


def read(picture: NDArray[np.uint8]) -> Read:
    """The text of a picture of shape (height, width) or (height, width, channels)."""
    found = _engine()(picture)
    if found.txts is None:
        return NOTHING
    lines = [_line(*each) for each in zip(found.txts, found.scores, found.boxes, strict=True)]
    rows = _rows([line for line in lines if line.score >= LEAST_CONFIDENCE and line.text.strip()])
    if not rows:
        return NOTHING
    pieces = [piece for row in rows for piece in _pieces(row)]
    weight = sum(len(line.text) for row in rows for line in row)
    confidence = sum(line.score * len(line.text) for row in rows for line in row) / weight
    return Read("".join(text for text, _ in pieces), confidence, np.vstack([boxes for _, boxes in pieces]))


@cache
def _engine() -> Any:
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": THREADS}
    return RapidOCR(params={"Global.log_level": "error", **threads})


def _line(text: str, score: float, corners: NDArray[Any]) -> _Line:
    low, high = corners.min(axis=0), corners.max(axis=0)
    return _Line(text, float(score), float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _rows(lines: list[_Line]) -> list[list[_Line]]:
    """Lines that stand side by side form a row; rows go from top to bottom, a row from left to right."""
    rows: list[list[_Line]] = []
    for line in sorted(lines, key=lambda each: each.y0):
        last = rows[-1] if rows else []
        middle = (line.y0 + line.y1) / 2
        if last and last[0].y0 <= middle <= last[0].y1:
            last.append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda each: each.x0) for row in rows]


def _pieces(row: list[_Line]) -> list[tuple[str, NDArray[np.float64]]]:
    pieces = []
    for place, line in enumerate(row):
        pieces.append((line.text, _shared_out(line)))
        pieces.append(("\n" if place == len(row) - 1 else " ", np.zeros((1, 4))))
    return pieces


def _shared_out(line: _Line) -> NDArray[np.float64]:
    edges = np.linspace(line.x0, line.x1, len(line.text) + 1)
    boxes = np.empty((len(line.text), 4))
    boxes[:, 0], boxes[:, 2] = edges[:-1], edges[1:]
    boxes[:, 1], boxes[:, 3] = line.y0, line.y1
    return boxes
