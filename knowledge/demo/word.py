"""A demo source as a Word document."""

import re
from io import BytesIO

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_BREAK
from docx.shared import Cm, Pt
from docx.text.paragraph import Paragraph

from knowledge.demo.archive import settled
from knowledge.demo.source import Block, Source

STYLES = {"heading": "Heading 1", "subheading": "Heading 2", "title": "Title"}


def render(source: Source) -> bytes:
    document = docx.Document()
    _dress(document, source)
    for block in source.blocks:
        _write(document, block)
    out = BytesIO()
    document.save(out)
    return settled(out.getvalue(), source.date)


def _dress(document: Document, source: Source) -> None:
    properties = document.core_properties
    properties.title, properties.author = source.head["title"], source.head["author"]
    properties.last_modified_by, properties.comments = source.head["author"], ""
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Times New Roman", Pt(11)
    for margin in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(document.sections[0], margin, Cm(2.5))
    document.sections[0].footer.paragraphs[0].text = source.head["footer"]


def _write(document: Document, block: Block) -> None:
    if block.kind == "page":
        document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    elif block.kind == "table":
        _table(document, block)
    else:
        paragraph = document.add_paragraph(style=STYLES.get(block.kind))
        if block.kind in ("title", "centre"):
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        if block.kind == "item":
            paragraph.paragraph_format.left_indent = Cm(1)
        _bold(paragraph, "\n".join(block.lines))


def _bold(paragraph: Paragraph, text: str) -> None:
    """Every second part between the ** marks is bold."""
    for index, part in enumerate(re.split(r"\*\*", text)):
        if part:
            paragraph.add_run(part).bold = True if index % 2 else None


def _table(document: Document, block: Block) -> None:
    table = document.add_table(rows=0, cols=len(block.rows[0]), style="Table Grid")
    for number, row in enumerate(block.rows):
        mark = "**" if block.headed and number == 0 else ""
        for cell, text in zip(table.add_row().cells, row, strict=True):
            _bold(cell.paragraphs[0], f"{mark}{text}{mark}")
