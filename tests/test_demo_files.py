"""The demo case file: its questions point at what its documents say, and it can be made again."""

import difflib
import email
import re
from email.policy import default
from pathlib import Path

import pypdfium2
import pytest

from knowledge import demo
from knowledge.demo import Question
from knowledge.demo.build import build

ANSWERABLE = [question for question in demo.questions() if question.kind == "answerable"]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("demo")
    build(folder)
    return folder


def text_of(document: str | None, folder: Path = demo.TEXT) -> str:
    return (folder / f"{document}.txt").read_text(encoding="utf-8")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_the_case_file_has_enough_documents_and_questions():
    assert 12 <= len(list(demo.FILES.iterdir())) <= 20
    assert len(ANSWERABLE) >= 21
    assert len(demo.questions()) - len(ANSWERABLE) >= 4
    assert len({question.id for question in demo.questions()}) == len(demo.questions())
    assert demo.QUESTION in {question.question for question in ANSWERABLE}


def test_the_case_file_stays_small():
    parts = (*demo.FILES.iterdir(), *demo.TEXT.iterdir())
    assert sum(path.stat().st_size for path in parts) < 2_500_000


def test_every_file_has_its_plain_text():
    assert {f"{path.name}.txt" for path in demo.FILES.iterdir()} == {p.name for p in demo.TEXT.iterdir()}


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question.id)
def test_every_quote_stands_at_its_offsets(question: Question):
    assert question.document and (demo.FILES / question.document).is_file()
    assert text_of(question.document)[question.start : question.end] == question.quote
    assert question.answer


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question.id)
def test_only_answers_in_pdfs_have_a_page(question: Question):
    assert (question.page is not None) == str(question.document).endswith(".pdf")


def test_unanswerable_questions_have_no_quote():
    for question in demo.questions():
        if question.kind == "unanswerable":
            assert (question.quote, question.page, question.start, question.end) == (None,) * 4


def test_the_agreement_shows_each_quote_on_its_page():
    agreement = pypdfium2.PdfDocument(demo.FILES / "supply-agreement.pdf")
    assert 15 <= len(agreement) <= 25
    pages = [squeezed(page.get_textpage().get_text_bounded()) for page in agreement]
    for question in ANSWERABLE:
        if question.document == "supply-agreement.pdf":
            assert question.page and question.quote
            assert squeezed(question.quote) in pages[question.page - 1]


def test_the_scanned_letter_has_no_text_layer():
    for page in pypdfium2.PdfDocument(demo.FILES / "ostrevane-letter.pdf"):
        assert page.get_textpage().get_text_bounded() == ""


def test_the_two_ndas_are_nearly_the_same():
    pair = [text_of(f"nda-{party}.docx") for party in ("ostrevane", "drovemeer")]
    ratio = difflib.SequenceMatcher(None, *pair, autojunk=False).ratio()
    assert 0.9 < ratio < 1


def test_two_mails_bring_attachments():
    names = []
    for path in sorted(demo.FILES.glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=default)
        names += [part.get_filename() for part in message.iter_attachments()]
    assert names == ["amendment-1-draft.docx", "performance-test-2-record.pdf"]


def test_building_again_gives_the_same_texts_and_questions(rebuilt):
    assert (rebuilt / "questions.jsonl").read_bytes() == demo.QUESTIONS.read_bytes()
    for path in demo.TEXT.iterdir():
        assert (rebuilt / "text" / path.name).read_bytes() == path.read_bytes(), path.name


def test_building_twice_gives_the_same_bytes(rebuilt, tmp_path):
    build(tmp_path)
    for path in (rebuilt / "files").iterdir():
        assert (tmp_path / "files" / path.name).read_bytes() == path.read_bytes(), path.name
