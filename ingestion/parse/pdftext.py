"""The text of a PDF page with a box for every character, by few calls into the library.

A call for every character costs more than everything else that is done with a page. So the text is fetched in
one call, and boxes only at the two ends of each word; between them they are shared out evenly.
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

HYPHEN = 0x02  # how the library marks a hyphen that only divides a word at the end of a line
HYPHEN_IN_TEXT = 0xFFFE  # the same, where it hands out the text of many characters at once
LINE_FEED, RETURN = 0x0A, 0x0D
SPACE, NO_BREAK_SPACE = 0x20, 0xA0
LONGEST_WORD = 12  # characters between two boxes asked for: some scripts have no spaces, some words no end


@dataclass(frozen=True)
class Text:
    """`boxes` has shape (characters, 4): left, bottom, right, top in points, in the page's own space.

    Boxes are as high as the font; white space has none (zeros).
    """

    characters: str
    boxes: NDArray[np.float32]


def of(page: Any) -> Text:
    """Line breaks are single; words divided at the end of a line are joined."""
    with closing(page.get_textpage()) as textpage:
        codes, places = _kept(_codes(textpage, textpage.count_chars()))
        boxes = _boxes(textpage, codes, places)
    characters = codes.astype("<u4").tobytes().decode("utf-32-le")
    if characters and not characters.endswith("\n"):
        characters += "\n"
        boxes = np.vstack([boxes, np.zeros((1, 4), np.float32)])
    return Text(characters, boxes)


def _codes(textpage: Any, count: int) -> NDArray[np.int64]:
    """The code of each of the page's characters; where it has more than one UTF-16 unit, one at a time."""
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    length = raw.FPDFText_GetText(textpage, 0, count, buffer) - 1
    if length != count:
        return np.array([raw.FPDFText_GetUnicode(textpage, place) for place in range(count)], dtype=np.int64)
    codes: NDArray[np.int64] = np.frombuffer(memoryview(buffer), np.uint16, count).astype(np.int64)
    codes[codes == HYPHEN_IN_TEXT] = HYPHEN
    return codes


def _kept(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The codes kept as text, and the places they had."""
    following = np.append(codes[1:], 0)
    breaks = (codes == LINE_FEED) | (codes == RETURN)
    dropped = (codes == 0) | (codes == HYPHEN) | (codes >= 0xFFFE) & (codes <= 0xFFFF) | (codes > 0x10FFFF)
    dropped |= breaks & (following == LINE_FEED)
    for place in np.flatnonzero(codes == HYPHEN):
        after = place + 1
        while after < len(codes) and (breaks[after] or codes[after] == HYPHEN):
            dropped[after] = True
            after += 1
    codes = codes.copy()
    for place in np.flatnonzero((codes >= 0xD800) & (codes < 0xE000)):
        _join_surrogates(codes, dropped, place)
    codes[codes == RETURN] = LINE_FEED
    places = np.flatnonzero(~dropped)
    return codes[places], places


def _join_surrogates(codes: NDArray[np.int64], dropped: NDArray[np.bool_], place: np.int64) -> None:
    """The two halves of a pair count as one character, a lone half as none."""
    high = codes[place]
    low = codes[place + 1] if place + 1 < len(codes) else 0
    if high < 0xDC00 <= low < 0xE000:
        codes[place] = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    else:
        dropped[place] = True


def _words(codes: NDArray[np.int64], places: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Of each word its first and its last character, and of each character its word, or -1."""
    count = np.arange(len(codes))
    is_word = (codes > SPACE) & (codes != NO_BREAK_SPACE)
    # Where something was dropped in between, the word goes on in the next line.
    follows = np.concatenate(([False], is_word))[:-1] & (np.diff(places, prepend=-1) == 1)
    begins = is_word & ~follows
    # How far each character is from the beginning of its word; long words are cut into parts.
    begins |= is_word & ((count - np.maximum.accumulate(np.where(begins, count, 0))) % LONGEST_WORD == 0)
    ends = is_word & (np.concatenate((begins, [True]))[1:] | ~np.concatenate((is_word, [False]))[1:])
    word = np.where(is_word, np.cumsum(begins) - 1, -1)
    return np.flatnonzero(begins), np.flatnonzero(ends), word


def _boxes(textpage: Any, codes: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """(characters, 4): exact at both ends of a word, whatever its direction, and evenly in between."""
    first, last, word = _words(codes, places)
    found = _boxes_at(textpage, places[np.append(first, last)])
    begins, ends = found[: len(first)], found[len(first) :]
    steps = (ends - begins) / np.maximum(last - first, 1).astype(np.float32)[:, None]
    boxes = np.zeros((len(codes), 4), dtype=np.float32)
    inside = np.flatnonzero(word >= 0)
    mine = word[inside]
    boxes[inside] = begins[mine] + steps[mine] * (inside - first[mine]).astype(np.float32)[:, None]
    return boxes


def _boxes_at(textpage: Any, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """(places, 4): left, bottom, right, top; zeros where a character has none."""
    found = np.zeros((len(places), 4), dtype=np.float32)  # left, top, right, bottom
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    addresses = range(found.ctypes.data, found.ctypes.data + found.nbytes, 16)
    deque(map(_box_of, repeat(handle), places.tolist(), addresses), maxlen=0)
    return found[:, [0, 3, 2, 1]]


# FPDFText_GetLooseCharBox (text page, place, FS_RECTF) with plain addresses, and without letting go of the
# interpreter: typed pointers cost thrice as much.
_box_of = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    ctypes.cast(raw.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)
