"""Comma-separated values: a sheet, whatever divides its cells."""

import csv
import io

from ingestion.parse import plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Page, Parsed
from ingestion.parse.sheet import MOST_CELLS

ROWS_OF_A_PART = 200
SAMPLE = 16_384


def parse(file: File) -> Parsed:
    text = plain.clean(plain.decode(file.path.read_bytes()))
    csv.field_size_limit(len(text) + 1)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:SAMPLE], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text), dialect)]
    except csv.Error as error:
        raise ParseError("damaged", "The table is damaged: save it again.") from error
    if sum(len(row) for row in rows) > MOST_CELLS:
        raise ParseError("too_large", f"The table has more than {MOST_CELLS:,} cells.")
    return Parsed("text/csv", tuple(_pages([row for row in rows if any(row)])))


def _pages(rows: list[list[str]]) -> list[Page]:
    """Parts that say which rows they have."""
    pages: list[Page] = []
    for start in range(0, len(rows), ROWS_OF_A_PART):
        part = rows[start : start + ROWS_OF_A_PART]
        text = "\n".join("\t".join(row).rstrip("\t") for row in part)
        label = f"rows {start + 1} to {start + len(part)}"
        pages.append(Page(len(pages) + 1, label, plain.ended(text)))
    return pages
