"""Each format on small files made here: text, pages, places."""

import email.message
import io
import zipfile

import docx
import numpy as np
import openpyxl
import pptx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from fpdf import FPDF
from PIL import Image, ImageDraw

from ingestion.parse import parse
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File
from knowledge import boxes
from knowledge.models import Page as Row


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """A parser leaves nothing in the working directory: only the sandbox's child gives signs of life."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path
    assert list((tmp_path / "here").iterdir()) == []


def parsed(scratch, name: str, content: bytes):
    path = scratch / "blob"  # stored files have no name
    path.write_bytes(content)
    return parse(File(path, name))


def text_of(result) -> str:
    return "".join(page.text for page in result.pages)


def boxes_of(page) -> np.ndarray:
    """(characters, 4) in tenths of a point, as they are read from what is stored."""
    return boxes.of(Row(text=page.text, boxes=page.boxes)) * 10


def pdf_with(*texts: str) -> bytes:
    pdf = FPDF(unit="pt", format=(400, 600))
    for text in texts:
        pdf.add_page()
        pdf.set_font("Helvetica", size=20)
        pdf.text(100, 200, text)  # the base line begins at (100, 200) from the top left
    return bytes(pdf.output())


def test_pdf_pages_are_kept_apart_and_every_character_has_a_box(scratch):
    result = parsed(scratch, "a.pdf", pdf_with("First page", "Second page"))
    assert [page.text for page in result.pages] == ["First page\n", "Second page\n"]
    assert [page.label for page in result.pages] == ["1", "2"]
    for page in result.pages:
        assert boxes_of(page).shape == (len(page.text), 4)
    x0, y0, x1, y1 = boxes_of(result.pages[0])[0] / 10
    assert 95 < x0 < x1 < 120
    assert 180 < y0 < 190  # as high as the font, from above its capitals to below its “g”
    assert 200 < y1 < 206


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_boxes_of_a_turned_page_lie_where_a_reader_sees_the_word(scratch, turn):
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf_with("Word"))
    document[0].set_rotation(turn)
    output = io.BytesIO()
    document.save(output)
    page = parsed(scratch, "a.pdf", output.getvalue()).pages[0]
    assert (page.width, page.height) == ((600, 400) if turn != 180 else (400, 600))
    x0, y0, x1, y1 = boxes_of(page)[0] / 10
    expected = {90: (600 - 200, 100), 180: (400 - 100, 600 - 200), 270: (200, 400 - 100)}[turn]
    assert abs(x0 - expected[0]) < 25
    assert abs(y0 - expected[1]) < 25
    assert 0 <= x0 < x1 <= page.width
    assert 0 <= y0 < y1 <= page.height


def test_a_scanned_page_is_read_by_ocr_with_boxes_on_the_page(scratch):
    picture = Image.new("L", (1240, 400), 255)
    ImageDraw.Draw(picture).text((80, 120), "The rent is due on the first of May", fill=0, font_size=56)
    picture.save(scratch / "scan.png")
    pdf = FPDF(unit="pt", format=(446, 144))
    pdf.add_page()
    pdf.image(scratch / "scan.png", 0, 0, 446, 144)
    page = parsed(scratch, "scan.pdf", bytes(pdf.output())).pages[0]
    assert page.kind == "ocr"
    assert page.confidence > 0.8
    assert "first of May" in page.text
    found = boxes_of(page)
    assert found.shape == (len(page.text), 4)
    assert found[:, 2].max() <= page.width * 10
    assert found[:, 3].max() <= page.height * 10


def test_a_picture_without_text_is_unreadable_and_a_blank_page_is_only_empty(scratch):
    Image.new("L", (600, 600), 255).save(scratch / "white.png")
    pdf = FPDF(unit="pt", format=(300, 300))
    pdf.add_page()
    pdf.image(scratch / "white.png", 0, 0, 300, 300)
    pdf.add_page()
    kinds = [page.kind for page in parsed(scratch, "a.pdf", bytes(pdf.output())).pages]
    assert kinds == ["unreadable", "text"]


def test_an_encrypted_pdf_asks_for_the_password(scratch):
    pdf = FPDF()
    pdf.add_page()
    pdf.set_encryption(owner_password="owner", user_password="user")
    with pytest.raises(ParseError, match="protected by a password") as error:
        parsed(scratch, "a.pdf", bytes(pdf.output()))
    assert error.value.code == "encrypted"


def test_word_paragraphs_and_tables_come_in_their_order(scratch):
    document = docx.Document()
    document.add_heading("Payment", level=1)
    document.add_paragraph("The price is due in May.")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Rent", "EUR 2,400"
    document.add_paragraph("After the table.")
    document.save(scratch / "a.docx")
    text = text_of(parsed(scratch, "a.docx", (scratch / "a.docx").read_bytes()))
    places = [text.index(part) for part in ("Payment", "due in May", "Rent\tEUR 2,400", "After the table")]
    assert places == sorted(places)


def test_sheets_are_pages_and_hidden_ones_say_so(scratch):
    book = openpyxl.Workbook()
    book.active.title = "Invoices"
    book.active.append(["Invoice", 2291, 1500.0, None, "=1+1"])
    hidden = book.create_sheet("Notes")
    hidden.append(["secret"])
    hidden.sheet_state = "hidden"
    book.save(scratch / "a.xlsx")
    pages = parsed(scratch, "a.xlsx", (scratch / "a.xlsx").read_bytes()).pages
    assert [page.label for page in pages] == ["sheet Invoices", "sheet Notes (hidden)"]
    assert pages[0].text == "Invoice\t2291\t1500\n"


def test_an_e_mail_has_its_head_its_body_and_its_attachments(scratch):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.example", "b@y.example", "Crane"
    message.set_content("The crane is late.")
    message.add_alternative("<p>The <b>crane</b> is late.</p>", subtype="html")
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="../../log.pdf")
    result = parsed(scratch, "a.eml", message.as_bytes())
    assert text_of(result).count("crane is late") == 1
    assert "Subject: Crane" in text_of(result)
    assert result.metadata["from"] == "a@x.example"
    assert [attachment.content for attachment in result.attachments] == [b"%PDF-1.4"]


def test_html_is_what_a_reader_sees(scratch):
    source = (
        b"<title>Notice</title><style>p{}</style><p>One&amp;two</p><script>x()</script><td>a</td><td>b</td>"
    )
    result = parsed(scratch, "a.html", source)
    assert result.title == "Notice"
    assert "One&two" in text_of(result)
    assert "x()" not in text_of(result)
    assert "a\tb" in text_of(result)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Müller § 5".encode(), "Müller § 5"),
        ("Müller § 5".encode("utf-16"), "Müller § 5"),
        ("Müller schuldet dem Kläger fünfhundert Euro nebst Zinsen seit März.".encode("cp1252"), "Kläger"),
        (b"a\x00b\r\nc\rd", "ab\nc\nd"),
        (b"\xef\xbb\xbfmarked", "marked"),
    ],
)
def test_text_of_any_encoding_is_read(scratch, content, expected):
    text = text_of(parsed(scratch, "a.txt", content))
    assert expected in text
    assert "\ufeff" not in text


def test_long_text_is_cut_into_parts_and_nothing_is_lost(scratch):
    source = "".join(f"Sentence number {number} of the text. " for number in range(2000))
    pages = parsed(scratch, "a.txt", source.encode()).pages
    assert len(pages) > 10
    assert pages[0].label == "part 1"
    assert "".join(page.text for page in pages).split() == source.split()


def test_archives_give_their_members_and_name_the_bad_ones(scratch):
    with zipfile.ZipFile(scratch / "a.zip", "w") as archive:
        archive.writestr("letters/a.txt", "one")
        archive.writestr("empty.txt", "")
        archive.writestr("__MACOSX/._a.txt", "litter")
    result = parsed(scratch, "a.zip", (scratch / "a.zip").read_bytes())
    assert [(each.name, each.content) for each in result.attachments] == [("letters/a.txt", b"one")]
    assert [each.name for each in result.refused] == ["empty.txt"]


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:\\evil.txt"]
)
def test_an_archive_that_points_outside_is_refused(scratch, name):
    with zipfile.ZipFile(scratch / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(ParseError) as error:
        parsed(scratch, "a.zip", (scratch / "a.zip").read_bytes())
    assert error.value.code == "unsafe_archive"


def test_an_archive_bomb_is_refused_by_what_it_declares(scratch):
    with zipfile.ZipFile(scratch / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.txt", bytes(50_000_000))
    with pytest.raises(ParseError) as error:
        parsed(scratch, "a.zip", (scratch / "a.zip").read_bytes())
    assert error.value.code == "bomb"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.txt", b"", "empty"),
        ("tool.exe", b"MZ\x90" + bytes(50), "program"),
        ("a.pdf", b"this is no PDF", "damaged"),
        ("a.bin", bytes(range(32)) * 20, "unknown type"),
        ("a.docx", b"PK\x03\x04 cut off", "damaged"),
        ("a.xml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "entities"),
    ],
)
def test_what_cannot_be_read_says_why(scratch, name, content, word):
    with pytest.raises(ParseError, match=word):
        parsed(scratch, name, content)


def changed_docx() -> bytes:
    """A contract with an insertion, a deletion, a comment and a content control."""
    document = docx.Document()
    document.add_heading("Term", 1)
    paragraph = document.add_paragraph("The term is ")
    document.add_comment(paragraph.runs, text="Is this agreed?", author="A. Reader", initials="AR")
    change = {qn("w:author"): "B. Writer", qn("w:date"): "2031-03-01T09:00:00Z"}
    for tag, text_tag, text in (("w:del", "w:delText", "two years"), ("w:ins", "w:t", "three years")):
        element = OxmlElement(tag)
        for name, value in change.items():
            element.set(name, value)
        run, content = OxmlElement("w:r"), OxmlElement(text_tag)
        content.text = text
        run.append(content)
        element.append(run)
        paragraph._p.append(element)
    control, inside = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    inside.append(document.add_paragraph("Notice: ninety days")._p)
    control.append(inside)
    document.element.body.insert(2, control)
    output = io.BytesIO()
    document.save(output)
    return output.getvalue()


def test_changes_and_comments_are_kept_apart_from_the_text(scratch):
    result = parsed(scratch, "a.docx", changed_docx())
    labels = {page.label: page.text for page in result.pages}
    assert "The term is three years" in labels["1"]
    assert "two years" not in labels["1"]
    assert "Notice: ninety days" in labels["1"]
    assert "agreed" not in labels["1"]
    assert "A. Reader: Is this agreed?" in labels["comments"]
    assert "B. Writer deleted (2031-03-01T09:00:00Z): two years" in labels["tracked changes"]


def test_slides_are_pages_with_tables_and_notes(scratch):
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Damages"
    table = slide.shapes.add_table(1, 2, 0, 2_000_000, 4_000_000, 500_000).table
    table.cell(0, 0).text, table.cell(0, 1).text = "Delay", "EUR 40,000"
    slide.notes_slide.notes_text_frame.text = "Ask the expert."
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Second"
    output = io.BytesIO()
    deck.save(output)
    first, second = parsed(scratch, "a.pptx", output.getvalue()).pages
    assert first.text == "Damages\nDelay\tEUR 40,000\nNotes: Ask the expert.\n"
    assert (second.label, second.text) == ("slide 2", "Second\n")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_of_values_has_rows_that_can_be_cited(scratch, mark):
    rows = [f"day {number}{mark}{number}50{mark}paid" for number in range(1, 451)]
    pages = parsed(scratch, "fees.csv", "\n".join(rows).encode()).pages
    assert [page.label for page in pages] == ["rows 1 to 200", "rows 201 to 400", "rows 401 to 450"]
    assert pages[2].text.startswith("day 401\t40150\tpaid\n")


def test_a_mailbox_gives_its_messages(scratch):
    message = "From a@b.example Mon Mar  3 09:00:00 2031\nFrom: a@b.example\nSubject: One\n\nThe rent.\n\n"
    result = parsed(scratch, "inbox", (message * 3).encode())
    assert [attachment.name for attachment in result.attachments] == [
        f"message {number:05}.eml" for number in (1, 2, 3)
    ]
    assert "Subject: One" in result.attachments[0].content.decode()


def test_attachments_inside_alternatives_are_taken(scratch):
    inner = email.message.EmailMessage()
    inner.set_content("<p>See the contract.</p>", subtype="html")
    inner.add_attachment(b"%PDF-1.7 x", maintype="application", subtype="pdf", filename="contract.pdf")
    outer = email.message.EmailMessage()
    outer["Subject"] = "Contract"
    outer.make_alternative()
    plain = email.message.EmailMessage()
    plain.set_content("See the contract.")
    outer.attach(plain)
    outer.attach(inner)
    result = parsed(scratch, "a.eml", outer.as_bytes())
    assert [attachment.name for attachment in result.attachments] == ["contract.pdf"]
    assert text_of(result).count("See the contract.") == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_entities_are_refused_in_any_encoding(scratch, encoding):
    source = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(ParseError, match="entities"):
        parsed(scratch, "a.xml", source.encode(encoding))
