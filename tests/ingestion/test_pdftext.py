"""The fast way to the text of a PDF page says what the library says, character by character."""

import ctypes
import re
from contextlib import closing

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
import pytest

from ingestion.parse import pdftext
from knowledge import demo

FILES = sorted(demo.FILES.glob("*.pdf"))


def kept(*codes: int) -> tuple[str, list[int]]:
    found, places = pdftext._kept(np.array(codes, dtype=np.int64))
    return "".join(map(chr, found)), places.tolist()


@pytest.mark.parametrize(
    ("codes", "text", "places"),
    [
        ([0x41, 0x0D, 0x0A, 0x42], "A\nB", [0, 2, 3]),
        ([0x41, 0x0D, 0x42], "A\nB", [0, 1, 2]),
        ([0x61, pdftext.HYPHEN, 0x0D, 0x0A, 0x62], "ab", [0, 4]),  # a divided word is joined
        ([0x61, pdftext.HYPHEN, 0x62], "ab", [0, 2]),
        ([0xD83D, 0xDE00, 0x41], "😀A", [0, 2]),  # two halves are one character
        ([0xD83D, 0x41], "A", [1]),
        ([0xDE00], "", []),
        ([0xD83D], "", []),
        ([0x41, 0, 0xFFFF, 0x42], "AB", [0, 3]),
        ([], "", []),
    ],
)
def test_every_character_is_kept_with_its_place(codes, text, places):
    assert kept(*codes) == (text, places)


def words(text: str) -> list[str]:
    codes = np.array([ord(each) for each in text], dtype=np.int64)
    first, last, word = pdftext._words(codes, np.arange(len(codes)))
    assert [row for row in word if row >= 0] == sorted(row for row in word if row >= 0)
    found = [text[begin : end + 1] for begin, end in zip(first, last, strict=True)]
    assert [
        "".join(c for c, row in zip(text, word, strict=True) if row == n) for n in range(len(found))
    ] == found
    return found


def test_words_end_at_white_space_and_long_ones_are_cut():
    assert words("The rent,\nis due.") == ["The", "rent,", "is", "due."]
    assert words(" a\xa0b ") == ["a", "b"]
    assert words("x" * 30) == ["x" * 12, "x" * 12, "x" * 6]
    assert words("ab " + "y" * 13) == ["ab", "y" * 12, "y"]
    assert words("") == words(" \n") == []


def by_the_library(textpage) -> str:
    text = textpage.get_text_range().replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub("[\ufffe\x02]\n?", "", text)
    return text if not text or text.endswith("\n") else text + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_text_and_places_of_real_pages_are_those_of_the_library(path):
    with closing(pdfium.PdfDocument(path)) as document:
        for page in document:
            text = pdftext.of(page)
            assert len(text.characters) == len(text.boxes)
            with closing(page.get_textpage()) as textpage:
                assert text.characters == by_the_library(textpage)
                check_boxes(text, textpage)


def check_boxes(text: pdftext.Text, textpage) -> None:
    """Every character is where the library says, but for how wide the letters of its word are."""
    _, places = pdftext._kept(pdftext._codes(textpage, textpage.count_chars()))
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    for place, (x0, y0, x1, y1) in zip(places.tolist(), text.boxes.tolist(), strict=False):
        if x1 > x0 and raw.FPDFText_GetCharBox(textpage, place, left, right, bottom, top):
            width = y1 - y0  # of the widest letter
            assert x0 - width <= (left.value + right.value) / 2 <= x1 + width
            assert y0 - 0.5 <= (bottom.value + top.value) / 2 <= y1 + 0.5
