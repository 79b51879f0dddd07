"""A demo source as a workbook: every heading opens a sheet, the table below it fills the sheet."""

import re
from datetime import date
from io import BytesIO

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from knowledge.demo.archive import settled
from knowledge.demo.source import Source

NUMBER = re.compile(r"\d+")
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def render(source: Source) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title, book.properties.creator = source.head["title"], source.head["author"]
    for heading, table in zip(source.blocks[::2], source.blocks[1::2], strict=True):
        _fill(book.create_sheet(heading.plain), table.rows)
    out = BytesIO()
    book.save(out)
    return settled(out.getvalue(), source.date)


def _fill(sheet: Worksheet, rows: tuple[tuple[str, ...], ...]) -> None:
    for row in rows:
        sheet.append([_value(cell) for cell in row])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for number, cells in enumerate(zip(*rows, strict=True), 1):
        sheet.column_dimensions[get_column_letter(number)].width = min(max(map(len, cells)) + 2, 60)
    sheet.freeze_panes = "A2"


def _value(cell: str) -> str | int | date | None:
    if DAY.fullmatch(cell):
        return date.fromisoformat(cell)
    return int(cell) if NUMBER.fullmatch(cell) else cell or None
