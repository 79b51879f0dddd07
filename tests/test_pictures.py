"""Pages as they are printed: drawn in the sandbox, with what is cited marked, for who may see it."""

import io
import re
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
from django.test import Client as Browser
from fpdf import FPDF
from PIL import Image

from ingestion import sandbox
from ingestion.parse.words import Words
from knowledge import blobs, boxes, documents, pictures
from knowledge.client import Client, Problem
from knowledge.models import AuditEvent, Page, Version
from tests.calling import calling
from tests.conftest import People

pytestmark = pytest.mark.django_db
FIRST, SECOND = "The rent is due on the first day of every month.", "Interest runs at four per cent."


def pdf(password: str = "") -> bytes:
    made = FPDF(format="A4")
    made.set_font("Helvetica", size=14)
    for sentence in (FIRST, SECOND):
        made.add_page()
        made.multi_cell(120, 8, f"{sentence} {sentence}")
    if password:
        made.set_encryption(owner_password=password, user_password=password)
    return bytes(made.output())


def tiff() -> bytes:
    frames, made = [Image.new("RGB", (300, 200), shade) for shade in ("white", "navy")], io.BytesIO()
    frames[0].save(made, "TIFF", save_all=True, append_images=frames[1:])
    return made.getvalue()


def read(people: People, name: str, content: bytes, media_type: str = "application/pdf") -> Version:
    """A version with its pages, as the pipeline leaves them; of what is no PDF without its words."""
    version = documents.add(people.matter, name, [content], people.owner).version
    pages: list[dict[str, object]] = [{"number": 1, "label": "1"}, {"number": 2, "label": "2"}]
    if media_type == "application/pdf":
        parsed = sandbox.parse_in_child(blobs.path(people.matter.pk, version.sha256), name, ocr="later")
        pages = [asdict(page) for page in parsed.pages]
    start = 0
    for page in pages:
        start = Page.objects.create(version=version, **{**page, "kind": "text", "start": start}).end
    version.media_type = media_type
    version.save(update_fields=["media_type"])
    return version


@pytest.fixture
def lease(people) -> Version:
    return read(people, "lease.pdf", pdf())


@pytest.fixture
def pincite(people) -> Iterator[Client]:
    with calling(people.reader) as client:
        yield client


def test_what_is_marked_is_where_the_words_are_printed(lease, pincite):
    """The marked rectangles hold all the ink of the sentence, and beyond them the page is white."""
    page = lease.pages.get(number=1)
    start = page.text.index("The rent")
    told = pincite.page(lease.pk, 1, page.start + start, page.start + len(page.text.rstrip()))
    assert len(told.marks) == 2  # lines
    drawn = np.asarray(Image.open(io.BytesIO(pincite.picture(lease.pk, 1, width=800))).convert("L"))
    assert drawn.shape[1] == 800
    ink, scale = drawn < 128, 800 / told.width
    assert ink.any()
    for left, top, right, bottom in told.marks:
        there = (
            slice(int(top * scale) - 3, int(bottom * scale) + 4),
            slice(int(left * scale) - 3, int(right * scale) + 4),
        )
        assert ink[there].mean() > 0.03
        ink[there] = False
    assert not ink.any()


def test_only_the_part_of_a_span_that_stands_on_the_page_is_marked(lease, pincite):
    second = lease.pages.get(number=2)
    place = second.start + second.text.index("four")
    assert pincite.page(lease.pk, 1, place, place + 4).marks == []
    [(left, _top, right, _bottom)] = pincite.page(lease.pk, 2, place, place + 4).marks
    assert 10 < right - left < 60


def test_a_column_beside_is_no_part_of_the_line():
    page = Page(text="a b", boxes=placed((0, 1, [10, 10, 20, 20]), (2, 1, [300, 10, 310, 20])))
    assert boxes.rectangles(page, 0, 3) == [(10, 10, 20, 20), (300, 10, 310, 20)]
    page = Page(text="a b", boxes=placed((0, 1, [10, 10, 20, 20]), (2, 1, [22, 11, 30, 21])))
    assert boxes.rectangles(page, 0, 3) == [(10, 10, 30, 21)]
    assert boxes.rectangles(Page(text="ab"), 0, 2) == []


def placed(*rows: tuple[int, int, list[int]]) -> bytes:
    """Stored places of words of one width: where each begins, its length, the box of its first character."""
    starts, lengths, first = (np.array(column) for column in zip(*rows, strict=True))
    last = first + np.outer((lengths - 1) * (first[:, 2] - first[:, 0]), [1, 0, 1, 0])
    return Words(starts, lengths, np.stack((first, last), axis=1)).packed()


def test_within_a_word_characters_share_its_box_evenly():
    page = Page(text="a lot", boxes=placed((0, 1, [0, 0, 7, 9]), (2, 3, [10, 0, 15, 9])))
    lefts_rights = [[0, 7], [0, 0], [10, 15], [15, 20], [20, 25]]
    assert boxes.of(page)[:, [0, 2]].tolist() == lefts_rights
    assert boxes.rectangles(page, 3, 5) == [(15, 0, 25, 9)]


def test_places_that_do_not_fit_the_text_are_not_believed():
    box = [0, 0, 7, 9]
    assert boxes.of(Page(text="ab", boxes=placed((0, 3, box)))) is None
    assert boxes.of(Page(text="abc", boxes=placed((0, 2, box), (1, 1, box)))) is None
    assert boxes.of(Page(text="abc", boxes=placed((0, 0, box)))) is None
    assert boxes.of(Page(text="abc", boxes=placed((0, 1, box))[:-1])) is None
    assert boxes.of(Page(text="abc", boxes=placed((0, 1, box)))) is not None


def test_places_stored_for_each_character_are_read_still():
    stored = zlib.compress(np.array([[100, 100, 200, 200], [220, 110, 300, 210]], "<i2").tobytes())
    assert boxes.rectangles(Page(text="ab", boxes=stored), 0, 2) == [(10, 10, 30, 21)]


def test_each_frame_of_a_picture_is_a_page(people, pincite):
    version = read(people, "scans.tiff", tiff(), "image/tiff")
    shades = [
        Image.open(io.BytesIO(pincite.picture(version.pk, n, width=150))).getpixel((5, 5)) for n in (1, 2)
    ]
    assert shades == [(255, 255, 255), (0, 0, 128)]


def test_a_document_without_pages_as_printed_says_so(people, pincite):
    version = read(people, "note.txt", b"The rent is due.", "text/plain")
    assert not pincite.page(version.pk, 1).has_picture
    with pytest.raises(Problem, match="404"):
        pincite.picture(version.pk, 1)


def test_what_cannot_be_drawn_says_why(people, lease, pincite):
    with pytest.raises(Problem, match="404"):
        pincite.picture(lease.pk, 3)
    with pytest.raises(Problem, match="422"):
        pincite.picture(lease.pk, 1, width=100_000)
    locked = read(people, "plain.pdf", pdf())
    blobs.path(people.matter.pk, locked.sha256).write_bytes(pdf("secret"))
    with pytest.raises(Problem, match=r"409: The file is protected by a password, which was forgotten"):
        pincite.picture(locked.pk, 1)
    blobs.path(people.matter.pk, locked.sha256).write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(Problem, match="409: The PDF is damaged"):
        pincite.picture(locked.pk, 1)


def test_a_program_that_hangs_is_stopped(lease, monkeypatch):
    monkeypatch.setattr(pictures, "SECONDS", 0.01)
    with pytest.raises(pictures.NoPicture, match="too long"):
        pictures.draw(lease, 1)


def test_nothing_of_a_picture_is_kept(lease, pincite, settings):
    def files() -> set[str]:
        done = subprocess.run(
            ["find", str(settings.DATA_DIR), "-type", "f", "-size", "+1k"], capture_output=True, check=True
        )
        return {line for line in done.stdout.decode().splitlines() if "sqlite" not in line}

    before = files()
    pincite.picture(lease.pk, 1)
    assert files() == before


def test_looking_at_a_page_is_a_read_of_it(people, lease, pincite):
    pincite.picture(lease.pk, 1)
    event = AuditEvent.objects.get(act="read", subject=f"version:{lease.pk}")
    assert (event.person, event.matter_id, event.details["page"]) == ("reader", people.matter.pk, "1")
    browser = Browser()
    browser.force_login(people.reader)
    path = f"/documents/{lease.document_id}/picture/?version={lease.pk}&page=2"
    assert browser.get(path)["Content-Type"] == "image/png"
    event = AuditEvent.objects.get(act="read", subject=f"document:{lease.document_id}")
    assert event.details["page"] == "2"


def test_who_may_not_see_the_matter_sees_no_picture(people, lease):
    with calling(people.outsider) as other, pytest.raises(Problem, match="404"):
        other.picture(lease.pk, 1)
    with calling(people.reader, rights=["ask"]) as other, pytest.raises(Problem, match="403"):
        other.picture(lease.pk, 1)


def test_the_viewer_shows_the_page_as_printed_with_the_span_marked_and_keeps_the_choice(people, lease):
    browser = Browser()
    browser.force_login(people.reader)
    path = f"/documents/{lease.document_id}/?version={lease.pk}&page=1&start=0&end=20"
    assert "<img" not in browser.get(path).content.decode()
    page = browser.get(f"{path}&view=printed").content.decode()
    [source] = re.findall(r'<img src="([^"]+)"', page)
    assert browser.get(source.replace("&amp;", "&")).status_code == 200
    assert '<rect id="pin" x="' in page
    assert "style=" not in page
    assert "<img" in browser.get(path).content.decode()
    assert "<img" not in browser.get(f"{path}&view=text").content.decode()
