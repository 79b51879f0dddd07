"""Bytes to pages. Runs only inside the sandbox's child; knows files and text, no database."""

import importlib

from ingestion.parse.kinds import kind_of
from ingestion.parse.parsed import File, Parsed

# kind → module and function; imported when needed, because a child reads one file and should start fast
PARSERS = {
    "pdf": ("ingestion.parse.pdf", "parse"),
    "docx": ("ingestion.parse.docx", "parse"),
    "doc": ("ingestion.parse.legacy", "parse_doc"),
    "ppt": ("ingestion.parse.legacy", "parse_ppt"),
    "xls": ("ingestion.parse.legacy", "parse_xls"),
    "pptx": ("ingestion.parse.slides", "parse"),
    "csv": ("ingestion.parse.table", "parse"),
    "mbox": ("ingestion.parse.mbox", "parse"),
    "odt": ("ingestion.parse.xml", "parse_odt"),
    "rtf": ("ingestion.parse.rtf", "parse"),
    "xlsx": ("ingestion.parse.sheet", "parse"),
    "email": ("ingestion.parse.email", "parse"),
    "msg": ("ingestion.parse.msg", "parse"),
    "html": ("ingestion.parse.html", "parse"),
    "xml": ("ingestion.parse.xml", "parse"),
    "plain": ("ingestion.parse.plain", "parse"),
    "image": ("ingestion.parse.image", "parse"),
    "zip": ("ingestion.parse.archive", "parse"),
}


def parse(file: File) -> Parsed:
    """Pages, attachments and metadata of a file. Raises ParseError."""
    module, function = PARSERS[kind_of(file.path, file.name)]
    parsed: Parsed = getattr(importlib.import_module(module), function)(file)
    return parsed
