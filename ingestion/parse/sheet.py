"""Workbooks: each sheet a page, each row a line, cells divided by tabs. Formulas show their last result."""

import warnings
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from ingestion.parse import office, plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Page, Parsed

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_CELLS = 5_000_000

BROKEN: tuple[type[Exception], ...] = (*office.BROKEN, InvalidFileException)


def parse(file: File) -> Parsed:
    office.check(file.path)
    try:
        # By handle, because stored files have no name and the library judges by the name.
        with file.path.open("rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions it does not know do not matter for text
            book = openpyxl.load_workbook(handle, read_only=True, data_only=True)
            pages = [_page(number, sheet) for number, sheet in enumerate(book.worksheets, start=1)]
    except BROKEN as error:
        raise office.damaged() from error
    said = office.properties(book.properties)
    return Parsed(MEDIA_TYPE, tuple(pages), title=book.properties.title or "", metadata=said)


def _page(number: int, sheet: Any) -> Page:
    hidden = " (hidden)" if sheet.sheet_state != "visible" else ""
    lines, cells = [], 0
    for row in sheet.iter_rows(values_only=True):
        cells += len(row)
        if cells > MOST_CELLS:
            raise ParseError("too_large", f"The sheet “{sheet.title}” has more than {MOST_CELLS:,} cells.")
        line = "\t".join(shown(value) for value in row).rstrip("\t")
        if line:
            lines.append(line)
    return Page(number, f"sheet {sheet.title}{hidden}", plain.ended(plain.clean("\n".join(lines))))


def shown(value: Any) -> str:
    """A cell as people read it: no time of day on a plain date, no “.0” on a whole number."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).removesuffix(" 00:00:00").split())
