"""Passages: exact offsets whatever the text, and clauses kept whole where they fit."""

import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.chunks import split


@dataclass(frozen=True)
class Page:
    number: int
    text: str


LEGAL = """# Lease

ARTICLE 1 – RENT
1.1 The tenant pays EUR 2,400 a month.
1.2 Rent is due on the first day of every month and is paid without deduction.

ARTICLE 2 – REPAIR
2.1 The landlord keeps the roof in repair.
"""
words = st.sampled_from(
    [
        "clause",
        "1.1 ",
        "ARTICLE 2",
        "\n",
        "\n\n",
        " ",
        ". ",
        "§ 5",
        "é",
        "❤",
        "\t",
        "(a) ",
        "# ",
        "x" * 90,
        " " * 700,
    ]
)
pages = st.lists(st.lists(words, max_size=80).map("".join), max_size=5)


def checked(texts: list[str], size: int, overlap: int):
    made = [Page(number, text) for number, text in enumerate(texts, start=1)]
    return "".join(texts), split(made, size, overlap), made


@settings(max_examples=300, deadline=None)
@given(pages, st.integers(100, 900), st.integers(0, 400))
def test_offsets_are_exact_and_nothing_visible_is_lost(texts, size, overlap):
    text, passages, made = checked(texts, size, overlap)
    covered: set[int] = set()
    for ordinal, passage in enumerate(passages):
        assert passage.ordinal == ordinal
        assert text[passage.start : passage.end] == passage.text
        assert passage.text.strip() == passage.text != ""
        assert len(passage.text) <= size
        covered |= set(range(passage.start, passage.end))
    spans = [(passage.start, passage.end) for passage in passages]
    assert all(
        left[0] < right[0] and left[1] < right[1] for left, right in zip(spans, spans[1:], strict=False)
    )
    assert all(char.isspace() for place, char in enumerate(text) if place not in covered)
    starts = [passage.start for passage in passages]
    assert starts == sorted(starts)
    place_of = [page.number for page in made for _ in page.text]
    for passage in passages:
        assert (passage.page_first, passage.page_last) == (place_of[passage.start], place_of[passage.end - 1])


def test_a_clause_that_fits_is_not_cut():
    clauses = [f"{number}.1 " + "The tenant shall do this and that. " * 8 for number in range(1, 20)]
    _, passages, _ = checked(["\n".join(clauses) + "\n"], 600, 100)
    for clause in clauses:
        assert any(clause.strip() in passage.text for passage in passages)


def test_passages_stand_under_their_headings():
    _, passages, _ = checked([LEGAL], 100, 0)
    repair = next(passage for passage in passages if "roof" in passage.text)
    assert "ARTICLE 2 – REPAIR" in repair.heading
    rent = next(passage for passage in passages if "EUR 2,400" in passage.text)
    assert "ARTICLE 1 – RENT" in rent.heading


@pytest.mark.parametrize(
    "line", ["Schedule 4, the Buyer shall sign the test record of", "Section 2 of it says so"]
)
def test_a_line_of_a_sentence_is_no_heading_although_it_begins_like_one(line):
    _, passages, _ = checked([f"ARTICLE 9 – TESTS\nIf it passes under\n{line}\nthe test. The rest.\n"], 60, 0)
    assert {passage.heading for passage in passages} == {"ARTICLE 9 – TESTS"}


@pytest.mark.parametrize(
    "line",
    [
        "Article One",
        "Section Two – Terms",
        "Exhibit Form of Notice",
        "Schedule Definitions",
        "Article 5 definitions",
    ],
)
def test_a_part_may_be_named_in_words(line):
    _, passages, _ = checked([f"{line}\nThe tenant pays the rent on the first day of the month.\n"], 100, 0)
    assert passages[0].heading == line


def test_a_long_clause_is_cut_at_sentences_that_stand_in_both_halves():
    text = "1.1 " + " ".join(f"Sentence number {number} is here." for number in range(60)) + "\n"
    _, passages, _ = checked([text], 400, 100)
    assert all(passage.text.endswith(".") for passage in passages)
    for left, right in zip(passages, passages[1:], strict=False):
        assert right.start < left.end
        assert right.text.startswith("Sentence")


def test_two_megabytes_on_one_line_take_seconds_at_most():
    started = time.monotonic()
    _, passages, _ = checked(["word " * 400_000], 800, 100)
    assert passages
    assert time.monotonic() - started < 30


def test_a_text_without_any_space_is_cut_too():
    text, passages, _ = checked(["x" * 5000], 800, 100)
    assert max(len(passage.text) for passage in passages) == 800
    assert passages[-1].end == len(text)


def test_nothing_makes_nothing():
    assert split([], 800, 100) == []
    assert split([Page(1, " \n\n")], 800, 100) == []
