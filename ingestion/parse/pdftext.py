"""The text of a PDF page with the places of its words, by few calls into the library.

A call for every character costs more than everything else that is done with a page. So the text is fetched in
one call, and boxes only at the two ends of each word.
"""

import ctypes
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray

from ingestion.parse.words import Words

HYPHEN = 0x02  # how the library marks a hyphen that only divides a word at the end of a line
HYPHEN_IN_TEXT = 0xFFFE  # the same, where it hands out the text of many characters at once
LINE_FEED, RETURN = 0x0A, 0x0D
SPACE, NO_BREAK_SPACE = 0x20, 0xA0
SURROGATES = 0xD800  # from here on codes may need a closer look
LONGEST_WORD = 12  # characters between two boxes asked for: some scripts have no spaces, some words no end


@dataclass(frozen=True)
class Text:
    """The boxes of its words are left, top, right, bottom in points, in the page's own space (origin bottom
    left), and as high as the font.
    """

    characters: str
    words: Words


def of(page: Any) -> Text:
    """Line breaks are single; words divided at the end of a line are joined."""
    with closing(page.get_textpage()) as textpage:
        codes = _codes(textpage, textpage.count_chars())
        codes, is_dropped = _cleaned(codes)
        starts, ends = _words(codes, is_dropped)
        boxes = _boxes(textpage, starts, ends)
    characters = codes[~is_dropped].astype("<u4").tobytes().decode("utf-32-le")
    if characters and not characters.endswith("\n"):
        characters += "\n"
    return Text(characters, Words(starts - np.cumsum(is_dropped)[starts], ends - starts, boxes))


def _codes(textpage: Any, count: int) -> NDArray[np.integer]:
    """The code of each of the page's characters; where it has more than one UTF-16 unit, one at a time."""
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    length = raw.FPDFText_GetText(textpage, 0, count, buffer) - 1
    if length != count:
        return np.array([raw.FPDFText_GetUnicode(textpage, place) for place in range(count)], dtype=np.int64)
    codes = np.frombuffer(memoryview(buffer), np.uint16, count)
    codes[codes == HYPHEN_IN_TEXT] = HYPHEN
    return codes


def _cleaned(codes: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    """The codes as the text has them, and which of them it does not have."""
    is_break = (codes == LINE_FEED) | (codes == RETURN)
    is_dropped = is_break.copy()
    is_dropped[:-1] &= codes[1:] == LINE_FEED
    is_dropped[-1:] = False
    if codes.size and (codes.min() <= HYPHEN or codes.max() >= SURROGATES):
        codes = _clean_unusual(codes.astype(np.int64), is_break, is_dropped)
    return np.where(is_break, LINE_FEED, codes), is_dropped


def _clean_unusual(
    codes: NDArray[np.int64], is_break: NDArray[np.bool_], is_dropped: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The codes without divided words, halves of characters, and what is none: `is_dropped` says which."""
    is_hyphen = codes == HYPHEN
    is_dropped |= (codes == 0) | is_hyphen | (codes >= 0xFFFE) & (codes <= 0xFFFF) | (codes > 0x10FFFF)
    for place in np.flatnonzero(is_hyphen):
        after = place + 1
        while after < len(codes) and (is_break[after] or is_hyphen[after]):
            is_dropped[after] = True
            after += 1
    for place in np.flatnonzero((codes >= SURROGATES) & (codes < 0xE000)):
        _join_surrogates(codes, is_dropped, place)
    return codes


def _join_surrogates(codes: NDArray[np.int64], is_dropped: NDArray[np.bool_], place: np.int64) -> None:
    """The two halves of a pair count as one character, a lone half as none."""
    high = codes[place]
    low = codes[place + 1] if place + 1 < len(codes) else 0
    if high < 0xDC00 <= low < 0xE000:
        codes[place] = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    else:
        is_dropped[place] = True


def _words(
    codes: NDArray[np.integer], is_dropped: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each word begins and ends. Where something was dropped it goes on as another one."""
    is_word = np.zeros(len(codes) + 2, dtype=np.bool_)
    is_word[1:-1] = (codes > SPACE) & (codes != NO_BREAK_SPACE) & ~is_dropped
    edges = np.flatnonzero(is_word[1:] != is_word[:-1])
    starts, ends = edges[::2], edges[1::2]
    parts = (ends - starts + LONGEST_WORD - 1) // LONGEST_WORD
    if len(parts) and parts.max() > 1:
        count = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        starts = np.repeat(starts, parts) + LONGEST_WORD * count
        ends = np.minimum(np.repeat(ends, parts), starts + LONGEST_WORD)
    return starts, ends


def _boxes(textpage: Any, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float32]:
    """(words, 2, 4): left, top, right, bottom of a word's first and last character; zeros for one without."""
    boxes = np.zeros((len(starts), 2, 4), dtype=np.float32)
    places = np.stack((starts, ends - 1), axis=1).ravel().tolist()
    addresses = range(boxes.ctypes.data, boxes.ctypes.data + boxes.nbytes, 16)
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    deque(map(_box_of, repeat(handle), places, addresses), maxlen=0)
    return boxes


# FPDFText_GetLooseCharBox (text page, place, FS_RECTF) with plain addresses, and without letting go of the
# interpreter: typed pointers cost thrice as much.
_box_of = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    ctypes.cast(raw.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)
