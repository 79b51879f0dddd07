"""Where the characters of a page stand on it as it is printed: in points from its top left."""

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from knowledge.models import Page

Box = tuple[float, float, float, float]  # left, top, right, bottom
MARK = b"\x02"  # how rows of words begin; what was stored before them is the zlib of int16 (characters, 4)
ROW = np.dtype(
    [("start", "<u4"), ("length", "<u4"), ("boxes", "<i2", (2, 4))]
)  # as ingestion.parse.words writes
TENTHS = 10.0  # of a point
GAP = 2.0  # heights of a line between two characters of one rectangle; more is another column


def of(page: Page) -> NDArray[np.float64] | None:
    """(characters, 4), all zero for a character without a place; None where places are not known."""
    stored = bytes(page.boxes or b"")
    if stored.startswith(MARK):
        return _shared_out(stored.removeprefix(MARK), len(page.text))
    if not stored:
        return None
    tenths = np.frombuffer(zlib.decompress(stored), dtype="<i2").reshape(-1, 4)
    return tenths / TENTHS


def _shared_out(rows: bytes, length: int) -> NDArray[np.float64] | None:
    """Between the first and the last character of a word its boxes are shared out evenly.

    A parser wrote these rows: words that overlap, or go beyond the text, are not believed.
    """
    if len(rows) % ROW.itemsize:
        return None
    words = np.frombuffer(rows, ROW)
    starts, lengths = words["start"].astype(np.int64), words["length"].astype(np.int64)
    ends = starts + lengths
    if len(words) and (lengths.min() < 1 or ends[-1] > length or (starts[1:] < ends[:-1]).any()):
        return None
    first, last = words["boxes"].astype(np.float64).swapaxes(0, 1)
    steps = (last - first) / np.maximum(lengths - 1, 1)[:, None]
    of_word = np.repeat(np.arange(len(words)), lengths)
    inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    boxes = np.zeros((length, 4))
    boxes[starts[of_word] + inside] = np.rint(first[of_word] + steps[of_word] * inside[:, None])
    return boxes / TENTHS


def rectangles(page: Page, start: int, end: int) -> list[Box]:
    """What the characters [start, end) of the page cover: a rectangle for each line, or part of one."""
    boxes = of(page)
    if boxes is None:
        return []
    found: list[Box] = []
    for box in _placed(boxes[max(start, 0) : max(end, 0)]):
        if found and _is_beside(found[-1], box):
            left, top, right, bottom = found[-1]
            found[-1] = (min(left, box[0]), min(top, box[1]), max(right, box[2]), max(bottom, box[3]))
        else:
            found.append(box)
    return found


def _placed(boxes: NDArray[np.float64]) -> Iterable[Box]:
    return [(box[0], box[1], box[2], box[3]) for box in boxes.tolist() if box[0] < box[2] and box[1] < box[3]]


def _is_beside(line: Box, box: Box) -> bool:
    """Whether the box goes on with the line: at its height, and not a column away."""
    middle, height = (box[1] + box[3]) / 2, line[3] - line[1]
    return line[1] <= middle <= line[3] and -GAP * height < box[0] - line[2] < GAP * height
