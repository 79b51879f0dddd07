"""Running heads and feet: found on the pages, and kept out of sentences and quotes that cross a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import pages
from knowledge import furniture, generations, quoted, quotes
from knowledge.models import Answer, Citation, Document, Matter, Page, Passage, Version
from knowledge.pins import Texts

BODIES = [
    "1. The lease begins on 4 May 2031 and is for ten years.\nThe tenant may end the lease early if the",
    "roof leaks for more than ninety days.\n2. The rent is paid each quarter in advance.\nNobody else lives",
    "here without consent.\n3. Disputes go to the courts of Aldmoor.\nNotices are sent by post to the places",
    "given above.\n4. This is all that was agreed.",
]
HEAD = "Lease of Fernleigh House\n"


def page(number: int) -> str:
    return f"{HEAD}{BODIES[number]}\nPage {number + 1} of 4\nDraft of counsel\n"


TEXTS = [page(number) for number in range(4)]
WHOLE = "".join(TEXTS)
CROSSING = "The tenant may end the lease early if the"


def test_what_stands_at_the_edge_of_many_pages_is_furniture():
    for text, (head, foot) in zip(TEXTS, furniture.lengths(TEXTS), strict=True):
        assert text[:head] == HEAD
        assert text[len(text) - foot :].startswith("Page ")
        assert text[len(text) - foot :].endswith("Draft of counsel\n")


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""] * 5,
        ["one page\n"],
        ["the same\n"] * 9,  # a page is never furniture as a whole
        [
            "[***]\nwords of this page\n",
            "[***]\nother words\n",
            "[***]\nmore of them\n",
        ],  # what was blacked out
        [f"line {word}\n" for word in ("one", "two", "three")],
        ["A\nbody one\n", "A\nbody two\n", *(f"other {word}\n" for word in "abcdefgh")],  # two pages of ten
    ],
)
def test_what_is_no_furniture_is_left_alone(texts):
    assert furniture.lengths(texts) == [(0, 0)] * len(texts)


@given(st.lists(st.text(alphabet="aA1 \n.", max_size=60), max_size=8))
def test_furniture_never_covers_a_page_and_blanking_moves_nothing(texts):
    for text, (head, foot) in zip(texts, furniture.lengths(texts), strict=True):
        assert head + foot < max(len(text), 1)
        blank = furniture.blanked(text, 100, furniture.spans(100, len(text), head, foot))
        assert len(blank) == len(text)
        assert blank[head : len(text) - foot] == text[head : len(text) - foot]
        assert not blank[:head].strip()


@pytest.fixture
def version(db) -> Version:
    document = Document.objects.create(matter=Matter.objects.create(name="m"), path="lease.pdf")
    version = Version.objects.create(document=document, number=1, size=len(WHOLE))
    start = 0
    for number, text in enumerate(TEXTS, 1):
        Page.objects.create(
            version=version, number=number, label=str(number), kind="text", start=start, text=text, width=595
        )
        start += len(text)
    pages.describe_text(version)
    return version


def test_a_sentence_across_a_page_is_one_sentence(version):
    at = WHOLE.index(CROSSING)
    start, end = Texts([version.pk]).sentence(version.pk, at, at + 10)
    assert WHOLE[start:end].startswith(CROSSING)
    assert WHOLE[start:end].endswith("roof leaks for more than ninety days.")


def test_quotes_are_sought_without_what_stands_between_the_pages(version):
    end = WHOLE.index("2. The rent")
    passage = Passage(version=version, start=0, end=end, page_first=1, page_last=2, text=WHOLE[:end])
    found = quotes.best(generations.current(), "When may the tenant end the lease early?", [passage])
    assert found[0].text.startswith(CROSSING)
    assert found[0].text == WHOLE[found[0].start : found[0].end]  # word for word, with all that stands there
    assert not any(quote.text.startswith(("Page", "Draft")) for quote in found)


def cited(version, django_user_model, start: int, end: int) -> Citation:
    asker = django_user_model.objects.create(username="a")
    answer = Answer.objects.create(matter=version.document.matter, asker=asker, question="?")
    return Citation.objects.create(
        answer=answer, number=1, origin="key", version=version, page=1, page_label="1", start=start, end=end,
        quote=WHOLE[start:end],
    )  # fmt: skip


def test_a_quote_is_shown_with_a_mark_where_the_page_ends(version, django_user_model):
    row = cited(version, django_user_model, WHOLE.index(CROSSING), WHOLE.index(" more than ninety days"))
    before, mark, behind, dots = quoted.pieces([row])[row.pk]
    assert before.text.strip() == CROSSING
    assert (mark.page, mark.text) == ("2", f"Page 1 of 4\nDraft of counsel\n{HEAD}")
    assert behind.text == "roof leaks for"
    assert dots.is_dots
    assert before.text + mark.text + behind.text == row.quote


def test_no_text_is_folded_away_where_a_page_between_has_a_lower_number(version, django_user_model):
    """Scanned pages stand behind the others in the text, in their own order."""
    row = cited(version, django_user_model, WHOLE.index(CROSSING), WHOLE.index("consent."))
    for old, new in ((1, 8), (3, 9)):  # the page between them stays page 2
        Page.objects.filter(version=version, number=old).update(number=new)
    row.page = 8
    assert "".join(piece.text for piece in quoted.pieces([row])[row.pk] if not piece.page) == row.quote + "…"


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        ("It ends.", ["It ends."]),
        ("and so on;", ["…", "and so on;"]),
        ("(i) it is", ["(i) it is", "…"]),
        ("He said “Stop.”", ["He said “Stop.”"]),
        ("A\u00a0price.", ["A price."]),
        ("", [""]),
    ],
)
def test_a_quote_says_where_it_begins_or_ends_within_a_sentence(quote, shown):
    row = Citation(pk=1, start=0, end=len(quote), page=1, quote=quote)
    assert [piece.text for piece in quoted._pieces(row, [])] == shown
