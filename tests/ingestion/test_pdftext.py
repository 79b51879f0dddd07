"""The fast way to the text of a PDF page says what the library says, character by character."""

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
    found, is_dropped = pdftext._cleaned(np.array(codes, dtype=np.int64))
    return "".join(map(chr, found[~is_dropped])), np.flatnonzero(~is_dropped).tolist()


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
    codes, is_dropped = pdftext._cleaned(np.array([ord(each) for each in text], dtype=np.int64))
    return [text[start:end] for start, end in zip(*pdftext._words(codes, is_dropped), strict=True)]


def test_words_end_at_white_space_and_long_ones_are_cut():
    assert words("The rent,\nis due.") == ["The", "rent,", "is", "due."]
    assert words(" a\xa0b ") == ["a", "b"]
    assert words("x" * 30) == ["x" * 12, "x" * 12, "x" * 6]
    assert words("ab " + "y" * 13) == ["ab", "y" * 12, "y"]
    assert words("") == words(" \n") == []


def test_a_word_goes_on_as_another_one_where_something_was_dropped():
    assert words("di\x02\r\nvided") == ["di", "vided"]  # in the next line
    assert words("a\0b") == ["a", "b"]


def by_the_library(textpage) -> str:
    text = textpage.get_text_range().replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub("[\ufffe\x02]\n?", "", text)
    return text if not text or text.endswith("\n") else text + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_text_and_places_of_real_pages_are_those_of_the_library(path):
    with closing(pdfium.PdfDocument(path)) as document:
        for page in document:
            text = pdftext.of(page)
            with closing(page.get_textpage()) as textpage:
                assert text.characters == by_the_library(textpage)
                check_boxes(text, textpage)


def check_boxes(text: pdftext.Text, textpage) -> None:
    """Words are all that is not white space, and begin and end where the library says."""
    _, is_dropped = pdftext._cleaned(pdftext._codes(textpage, textpage.count_chars()))
    places, found = np.flatnonzero(~is_dropped), text.words
    ends = found.starts + found.lengths
    told = [text.characters[start:end] for start, end in zip(found.starts, ends, strict=True)]
    assert "".join(told) == "".join(text.characters.split())
    for boxes, *both in zip(found.boxes.tolist(), places[found.starts], places[ends - 1], strict=True):
        assert boxes == [loose(textpage, place) for place in both]


def loose(textpage, place: int) -> list[float]:
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(textpage, int(place), box)
    return [box.left, box.top, box.right, box.bottom]
