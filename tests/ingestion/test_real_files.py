"""Real legal documents of every format: what is read from them is what they say."""

import json
import re
from itertools import accumulate

import pytest

from ingestion import chunks, sandbox
from ingestion.parse.errors import ParseError
from knowledge import boxes
from knowledge.models import Page
from tests.ingestion.conftest import DATA, NO_DATA

CONTRACTS = DATA / "contracts"
pytestmark = [pytest.mark.data, pytest.mark.skipif(not CONTRACTS.exists(), reason=NO_DATA)]


def rows(name: str) -> list[dict]:
    path = CONTRACTS / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# Of each born-digital format the first few; scans are slow, and the demo case file has one.
FORMATS = ("pdf", "docx", "doc", "html", "txt", "rtf", "odt")


def first_of(kind: str) -> list[dict]:
    served = [row for row in rows("documents.jsonl") if row["served"].endswith(f".{kind}")]
    return [row for row in served if ".scan." not in row["served"]][:4]


SERVED = [row for kind in FORMATS for row in first_of(kind)]
CASEFILES = sorted(path for path in (DATA / "casefiles").glob("*.*") if path.suffix != ".jsonl")
SLOW = {"court_image_scan_1.pdf", "scotus_tarrant_v_herrmann_text.pdf", "mixed_digital_and_scanned_pages.pdf"}


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row["served"].split("/")[-1][:40])
def test_a_contract_is_read_word_for_word(row):
    parsed = sandbox.parse_in_child(DATA / row["served"], row["served"])
    text = "".join(page.text for page in parsed.pages)
    gold = (DATA / row["gold_txt"]).read_text(encoding="utf-8")
    wanted = re.findall(r"[a-z]{3,}", gold.lower())
    found = set(re.findall(r"[a-z]{3,}", text.lower()))
    assert sum(word in found for word in wanted) / len(wanted) >= 0.97
    pieces = chunks.split(parsed.pages, 800, 100)
    assert all(text[piece.start : piece.end] == piece.text for piece in pieces)
    assert all(len(piece.text) <= 800 for piece in pieces)


@pytest.mark.parametrize(
    "path", [path for path in CASEFILES if path.name not in SLOW], ids=lambda path: path.name
)
def test_a_case_file_is_read_or_says_why_not(path):
    try:
        parsed = sandbox.parse_in_child(path, path.name)
    except ParseError as error:
        assert path.suffix == ".wpd", error.message
        assert "WordPerfect" in error.message
        return
    assert any(page.text.strip() for page in parsed.pages)
    assert all(page.text.endswith("\n") for page in parsed.pages if page.text)


PDFS = [*(DATA / "casefiles").glob("*.pdf"), *(DATA / "kleister_nda" / "pdf").glob("*.pdf")]


@pytest.mark.parametrize("path", sorted(PDFS), ids=lambda path: path.name)
def test_every_passage_of_a_pdf_knows_its_rectangles_on_each_of_its_pages(path):
    pages = sandbox.parse_in_child(path, path.name, ocr="later").pages
    starts = dict(zip(pages, accumulate((len(page.text) for page in pages), initial=0), strict=False))
    for piece in chunks.split(pages, 800, 100):
        for page in pages[piece.page_first - 1 : piece.page_last]:
            start, end = max(piece.start - starts[page], 0), max(piece.end - starts[page], 0)
            row = Page(text=page.text, boxes=page.boxes)
            found = boxes.rectangles(row, start, end)
            assert bool(found) == bool(page.text[start:end].strip()), page.text[start:end]
            assert all(left < right and top < bottom for left, top, right, bottom in found)
