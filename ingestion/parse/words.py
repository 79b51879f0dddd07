"""Where the words of a text stand on its page: all that is kept of places, a row for each word."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

MARK = b"\x02"  # how packed rows begin; what was stored before them is zlib's, which begins with an x
ROW = np.dtype([("start", "<u4"), ("length", "<u4"), ("boxes", "<i2", (2, 4))])
TENTHS = 10.0  # of a point


@dataclass(frozen=True)
class Words:
    """A word is characters without white space between them; a line that was read as one counts as one.

    `boxes` has shape (words, 2, 4): of the first and of the last character. Those in between share what lies
    between evenly.
    """

    starts: NDArray[np.int64]  # in the text, ascending
    lengths: NDArray[np.int64]
    boxes: NDArray[np.floating]

    def scaled(self, factor: float) -> "Words":
        return replace(self, boxes=self.boxes * factor)

    def packed(self) -> bytes:
        """As they are stored (`parsed.Page.boxes`), from boxes in points from the top left."""
        rows = np.empty(len(self.starts), ROW)
        rows["start"], rows["length"] = self.starts, self.lengths
        rows["boxes"] = np.rint(np.clip(self.boxes * TENTHS, -32768, 32767))
        return MARK + rows.tobytes()


NONE = Words(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2, 4), np.float32))
