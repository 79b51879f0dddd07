"""PowerPoint presentations: a slide is a page, with its tables and its notes."""

from collections.abc import Iterator
from typing import Any

from pptx import Presentation
from pptx.exc import PythonPptxError
from pptx.util import Emu

from ingestion.parse import office, plain
from ingestion.parse.parsed import File, Page, Parsed

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
DEEPEST = 10  # groups within groups

BROKEN: tuple[type[Exception], ...] = (*office.BROKEN, PythonPptxError)


def parse(file: File) -> Parsed:
    office.check(file.path)
    try:
        with file.path.open("rb") as handle:
            deck = Presentation(handle)
            pages = tuple(_page(number, slide) for number, slide in enumerate(deck.slides, start=1))
            title, said = deck.core_properties.title or "", office.properties(deck.core_properties)
    except BROKEN as error:
        raise office.damaged() from error
    return Parsed(MEDIA_TYPE, pages, title=title, metadata=said)


def _page(number: int, slide: Any) -> Page:
    lines = list(_texts(slide.shapes, 0))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        lines += [f"Notes: {notes}"] if notes else []
    text = plain.clean("\n".join(line for line in lines if line.strip()))
    return Page(number, f"slide {number}", plain.ended(text))


def _texts(shapes: Any, depth: int) -> Iterator[str]:
    """As one reads: from top to bottom, then from left to right."""
    for shape in sorted(shapes, key=lambda each: (each.top or Emu(0), each.left or Emu(0))):
        if hasattr(shape, "shapes") and depth < DEEPEST:
            yield from _texts(shape.shapes, depth + 1)
        elif shape.has_text_frame:
            yield shape.text_frame.text.replace("\v", "\n")
        elif getattr(shape, "has_table", False) and shape.has_table:
            for row in shape.table.rows:
                yield "\t".join(" ".join(cell.text.split()) for cell in row.cells)
