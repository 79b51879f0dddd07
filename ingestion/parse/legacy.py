"""Word and PowerPoint files of before 2007, by kreuzberg; Excel's by calamine."""

from typing import Any

from ingestion.parse import plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Page, Parsed
from ingestion.parse.sheet import MOST_CELLS, shown

DAMAGED = "The file is damaged: open it in its program and save it in the format of today."
ENCRYPTED = "The file is protected by a password: remove it and upload the file again."


def parse_doc(file: File) -> Parsed:
    return _kreuzberg(file, "application/msword")


def parse_ppt(file: File) -> Parsed:
    return _kreuzberg(file, "application/vnd.ms-powerpoint")


def parse_xls(file: File) -> Parsed:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        book = CalamineWorkbook.from_path(str(file.path))
        pages = tuple(_sheet(number, book, name) for number, name in enumerate(book.sheet_names, start=1))
    except PasswordError as error:
        raise ParseError("encrypted", ENCRYPTED) from error
    except (CalamineError, ValueError, OSError) as error:
        raise ParseError("damaged", DAMAGED) from error
    return Parsed("application/vnd.ms-excel", pages)


def _kreuzberg(file: File, media_type: str) -> Parsed:
    from kreuzberg import KreuzbergError, extract_file_sync

    try:
        found = extract_file_sync(str(file.path), mime_type=media_type)
    except (KreuzbergError, ValueError, OSError) as error:
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise ParseError("encrypted", ENCRYPTED) from error
        raise ParseError("damaged", DAMAGED) from error
    metadata: dict[str, Any] = dict(found.metadata or {})
    said = {
        "author": ", ".join(metadata.get("authors") or []),
        "created": str(metadata.get("created_at") or ""),
        "modified": str(metadata.get("modified_at") or ""),
    }
    pages = plain.numbered(list(plain.parts(plain.clean(found.content))))
    title = str(metadata.get("title") or "")
    return Parsed(
        media_type, pages, title=title, metadata={name: value for name, value in said.items() if value}
    )


def _sheet(number: int, book: Any, name: str) -> Page:
    rows = book.get_sheet_by_name(name).to_python()
    if sum(len(row) for row in rows) > MOST_CELLS:
        raise ParseError("too_large", f"The sheet “{name}” has more than {MOST_CELLS:,} cells.")
    lines = ["\t".join(shown(cell) for cell in row).rstrip("\t") for row in rows]
    return Page(number, f"sheet {name}", plain.ended(plain.clean("\n".join(line for line in lines if line))))
