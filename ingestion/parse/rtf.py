"""Rich Text Format."""

from typing import Any

from striprtf import striprtf

from ingestion.parse import plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Parsed

_to_text: Any = striprtf.rtf_to_text  # the library has no types


def parse(file: File) -> Parsed:
    source = file.path.read_bytes().decode("latin-1")
    try:
        text = _to_text(source, encoding="cp1252", errors="replace")
    except (ValueError, IndexError, KeyError, LookupError) as error:
        raise ParseError("damaged", "The RTF file is damaged: save it again as DOCX or PDF.") from error
    return Parsed("application/rtf", plain.numbered(list(plain.parts(plain.clean(text)))))
