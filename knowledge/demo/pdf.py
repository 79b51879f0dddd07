"""A demo source as a typeset PDF: Times, numbered clauses with hanging indents, footers, outline."""

from collections.abc import Sequence
from io import BytesIO

from fpdf import FPDF, FontFace
from fpdf.enums import Align, TableBordersLayout
from fpdf.outline import OutlineSection

from knowledge.demo.source import Block, Source

MARGIN, LINE, INDENT = 25.0, 5.3, 12.0  # millimetres


class Sheet(FPDF):
    """An A4 document of ours; `covered` leaves the first page without a footer."""

    def __init__(self, source: Source, *, covered: bool) -> None:
        super().__init__(format="A4")
        self.core_fonts_encoding = "windows-1252"  # typographic quotation marks and dashes
        self.note, self.covered = source.head["footer"], covered
        self.set_title(source.head["title"])
        self.set_author(source.head["author"])
        self.set_creator("Pincite demo")
        self.set_producer("fpdf2")
        self.set_lang("en-GB")
        self.set_creation_date(source.date)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=26)
        self.add_page()
        self.body()

    def body(self) -> None:
        self.set_font("Times", size=11)

    def footer(self) -> None:
        if self.covered and self.page_no() == 1:
            return
        self.set_y(-18)
        self.set_draw_color(150)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.set_y(-16)
        self.set_font("Times", style="I", size=8.5)
        self.cell(0, 5, self.note)
        self.set_x(MARGIN)
        self.cell(0, 5, f"Page {self.page_no()}", align="R")


def render(source: Source) -> bytes:
    covered = "cover" in source.head
    sheet = Sheet(source, covered=covered)
    if covered:
        sheet.set_y(62)
    for block in source.blocks:
        _draw(sheet, block)
    return bytes(sheet.output())


def images(source: Source, jpegs: Sequence[bytes]) -> bytes:
    """A scan: every page one picture over the whole sheet and no text at all."""
    pdf = FPDF(format="A4")
    pdf.set_title(source.head["title"])
    pdf.set_creator("Pincite demo")
    pdf.set_producer("fpdf2")
    pdf.set_creation_date(source.date)
    for jpeg in jpegs:
        pdf.add_page()
        pdf.image(BytesIO(jpeg), x=0, y=0, w=pdf.w, h=pdf.h)
    return bytes(pdf.output())


def _draw(sheet: Sheet, block: Block) -> None:
    match block.kind:
        case "page":
            sheet.add_page()
        case "contents":
            sheet.insert_toc_placeholder(_contents)
        case "table":
            _table(sheet, block)
        case "title" | "centre":
            _centre(sheet, block)
        case "heading" | "subheading":
            _heading(sheet, block)
        case _:
            _clause(sheet, block)


def _centre(sheet: Sheet, block: Block) -> None:
    large = block.kind == "title"
    sheet.set_font("Times", style="B" if large else "", size=17 if large else 11.5)
    if large and sheet.covered and sheet.page_no() == 1:
        _rule(sheet)
    text = "\n".join(block.lines)
    sheet.multi_cell(0, 8 if large else 6, text, align="C", markdown=True, new_x="LMARGIN", new_y="NEXT")
    sheet.ln(8 if sheet.covered and sheet.page_no() == 1 else 4)
    sheet.body()


def _rule(sheet: Sheet) -> None:
    sheet.line(MARGIN + 30, sheet.get_y(), sheet.w - MARGIN - 30, sheet.get_y())
    sheet.ln(6)


def _heading(sheet: Sheet, block: Block) -> None:
    if sheet.will_page_break(24):  # a heading stays with the clause below it
        sheet.add_page()
    sheet.ln(3 if block.kind == "heading" else 1)
    if block.kind == "heading":
        sheet.start_section(block.plain)
    sheet.set_font("Times", style="B", size=12 if block.kind == "heading" else 11)
    sheet.multi_cell(0, 6, block.plain, align="L", new_x="LMARGIN", new_y="NEXT")
    sheet.ln(1.5)
    sheet.body()


def _clause(sheet: Sheet, block: Block) -> None:
    """A paragraph; where it has a number, the number hangs in the margin of the text."""
    text, left = "\n".join(block.lines), MARGIN
    if block.kind == "item":
        left += INDENT
    if block.label:
        if sheet.will_page_break(LINE):
            sheet.add_page()
        sheet.set_x(left)
        sheet.cell(INDENT, LINE, block.label)
        left, text = left + INDENT, text[len(block.label) + 1 :]
    sheet.set_x(left)
    align = "L" if len(block.lines) > 1 or "@" in text else "J"  # an address would leave gaps
    sheet.multi_cell(
        sheet.w - MARGIN - left, LINE, text, align=align, markdown=True, new_x="LMARGIN", new_y="NEXT"
    )
    sheet.ln(2.2)


def _table(sheet: Sheet, block: Block) -> None:
    sheet.set_font("Times", size=10)
    sheet.set_draw_color(150)
    if len(block.rows) < 12 and sheet.will_page_break(len(block.rows) * 8):  # short ones stay whole
        sheet.add_page()
    with sheet.table(
        block.rows,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=_widths(block),
        first_row_as_headings=block.headed,
        headings_style=FontFace(emphasis="BOLD"),
        line_height=LINE,
        markdown=True,
        padding=(0.8, 1.5),
        text_align=Align.L,
    ):
        pass
    sheet.ln(3)
    sheet.body()


def _widths(block: Block) -> tuple[int, ...]:
    """Shares of the width: by the longest cell of each column, kept within reason."""
    columns = zip(*block.rows, strict=True)
    return tuple(min(max(max(len(cell) for cell in column), 14), 48) for column in columns)


def _contents(pdf: FPDF, outline: list[OutlineSection]) -> None:
    pdf.set_font("Times", size=10.5)
    for section in outline:
        pdf.set_x(MARGIN)
        link = pdf.add_link(page=section.page_number)
        pdf.cell(pdf.epw - 12, 6.4, section.name, link=link)
        pdf.cell(12, 6.4, str(section.page_number), align="R", link=link, new_x="LMARGIN", new_y="NEXT")
