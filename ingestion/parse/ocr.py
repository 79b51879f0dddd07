"""Reading pictures of text: RapidOCR with its wheel's models, in reading order, with the places of lines."""

import logging
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.parse import words
from ingestion.parse.words import Words

LEAST_CONFIDENCE = 0.5
THREADS = 2


@dataclass(frozen=True)
class Read:
    text: str  # lines, each ended
    confidence: float  # mean over the characters, 0 to 1
    words: Words  # each line is one; x0, y0, x1, y1 in pixels


NOTHING = Read("", 0.0, words.NONE)


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
    text = "".join(f"{' '.join(line.text for line in row)}\n" for row in rows)
    weight = sum(len(line.text) for row in rows for line in row)
    confidence = sum(line.score * len(line.text) for row in rows for line in row) / weight
    return Read(text, confidence, _places([line for row in rows for line in row]))


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


def _places(lines: list[_Line]) -> Words:
    """Of lines in their order, with one character between two of them. A line's box is shared out evenly."""
    lengths = np.array([len(line.text) for line in lines])
    boxes = np.array([[[line.x0, line.y0, line.x1, line.y1]] * 2 for line in lines])
    each = (boxes[:, 0, 2] - boxes[:, 0, 0]) / lengths
    boxes[:, 0, 2] = boxes[:, 0, 0] + each
    boxes[:, 1, 0] = boxes[:, 1, 2] - each
    return Words(np.cumsum(lengths + 1) - lengths - 1, lengths, boxes)
