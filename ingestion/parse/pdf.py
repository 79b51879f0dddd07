"""PDF: the text of each page with the places of its words; pages that are pictures are read by OCR."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from numpy.typing import NDArray

from ingestion.parse import ocr, pdftext, plain, progress
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Page, Parsed

MOST_PAGES = 20_000
# A page with less text than this, and pictures over this share of it, is a scan with a stamp.
LITTLE_TEXT = 250
PICTURE_SHARE = 0.5
OCR_DPI = 200
MOST_PIXELS = 40_000_000


def parse(file: File) -> Parsed:
    with closing(opened(file.path, file.password)) as document:
        if len(document) > MOST_PAGES:
            raise ParseError(
                "too_many_pages", f"The file has {len(document):,} pages; the limit is {MOST_PAGES:,}."
            )
        pages = tuple(_pages(document, file))
        found = {
            key.lower(): plain.clean(value) for key, value in document.get_metadata_dict().items() if value
        }
    return Parsed("application/pdf", pages, title=found.get("title", ""), metadata=found)


def opened(path: Path, password: str) -> Any:
    try:
        document = pdfium.PdfDocument(path, password=password or None)
        pages = len(document)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            told = "That password does not open the PDF" if password else "The PDF is protected by a password"
            raise ParseError("encrypted", f"{told}: give its password and try again.") from error
        raise ParseError("damaged", "The PDF is damaged: print or save it again as a PDF.") from error
    if pages == 0:
        raise ParseError("damaged", "The PDF is damaged: it has no pages.")
    return document


def _pages(document: Any, file: File) -> Iterator[Page]:
    wanted = sorted(file.only) if file.ocr == "only" else range(1, len(document) + 1)
    for number in wanted:
        progress.page(number)
        yield _page(document, number, is_ocr_now=file.ocr != "later")


def _page(document: Any, number: int, *, is_ocr_now: bool) -> Page:
    label = str(number)
    try:
        page = document[number - 1]
    except pdfium.PdfiumError:
        return Page(number, label, "", "unreadable")
    with closing(page):
        width, height = page.get_size()
        text = pdftext.of(page)
        is_little = len(text.characters.strip()) < LITTLE_TEXT
        pictures = _picture_share(page, width * height) if is_little else 0.0
        if pictures > PICTURE_SHARE:
            if not is_ocr_now:
                return Page(number, label, "", "pending", None, width, height)
            read = _read_picture(page)
            if len(read.text) > len(text.characters):
                words = read.words.scaled(72 / OCR_DPI).packed()
                return Page(number, label, read.text, "ocr", read.confidence, width, height, words)
        if not text.characters.strip():
            # A page with nothing on it is empty, not unreadable.
            return Page(number, label, "", "unreadable" if pictures > 0 else "text", None, width, height)
        words = replace(text.words, boxes=_as_displayed(text.words.boxes, page)).packed()
        return Page(number, label, text.characters, "text", None, width, height, words)


def _as_displayed(boxes: NDArray[np.float32], page: Any) -> NDArray[np.float32]:
    """From the page's own space (origin bottom left) to x0, y0, x1, y1 from top left, rotation applied."""
    left, bottom, right, top = page.get_bbox()  # media and crop box, inherited or not
    x0, y0 = boxes[..., 0] - left, top - boxes[..., 1]
    x1, y1 = boxes[..., 2] - left, top - boxes[..., 3]
    across, down = right - left, top - bottom
    turned = {
        0: (x0, y0, x1, y1),
        90: (down - y1, x0, down - y0, x1),
        180: (across - x1, down - y1, across - x0, down - y0),
        270: (y0, across - x1, y1, across - x0),
    }[page.get_rotation() % 360]
    placed = np.stack(turned, axis=-1)
    placed[~boxes.any(axis=-1)] = 0
    return placed


def _picture_share(page: Any, area: float) -> float:
    """The share of the page that pictures cover; over 1 where they overlap."""
    covered = 0.0
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        try:
            left, bottom, right, top = item.get_bounds()
        except pdfium.PdfiumError:
            continue
        covered += max(0.0, right - left) * max(0.0, top - bottom)
    return covered / area if area else 0.0


def _read_picture(page: Any) -> ocr.Read:
    width, height = page.get_size()
    scale = OCR_DPI / 72
    if width * height * scale * scale > MOST_PIXELS:
        return ocr.NOTHING
    return ocr.read(page.render(scale=scale).to_numpy())
