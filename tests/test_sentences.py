"""Sentences of legal text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import sentences


def texts(text: str) -> list[str]:
    return [span.of(text) for span in sentences.split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It ends. It began.", ["It ends.", "It began."]),
        ("Smith v. Jones was cited. No. 12 was not.", ["Smith v. Jones was cited.", "No. 12 was not."]),
        ("Acme Inc. Sells cranes. It lost.", ["Acme Inc. Sells cranes.", "It lost."]),
        ("Who pays? The buyer!", ["Who pays?", "The buyer!"]),
        ("He said “Stop.” She left.", ["He said “Stop.”", "She left."]),
        ("1. Term. This runs on.", ["1. Term.", "This runs on."]),
        (
            "Weigh it as in Schedule 4. “Losses” means loss.",
            ["Weigh it as in Schedule 4.", "“Losses” means loss."],
        ),
        ("It lists: 1. Rent is due; 2. Rates are not.", ["It lists: 1. Rent is due; 2. Rates are not."]),
        ("As in no. 5. Otherwise it ends.", ["As in no. 5. Otherwise it ends."]),
        ("It is so.\n12. Term. It runs on.", ["It is so.", "12. Term.", "It runs on."]),
        ("LEASE AGREEMENT\nThis Lease binds both.", ["LEASE AGREEMENT", "This Lease binds both."]),
        ("MADE BETWEEN\nAcme Limited and others.", ["MADE BETWEEN\nAcme Limited and others."]),
        ("PAYMENT IS DUE, AND\nInterest runs.", ["PAYMENT IS DUE, AND\nInterest runs."]),
        ("It goes to\nAcme Limited.", ["It goes to\nAcme Limited."]),
        ("Heading\n\nThe text goes on", ["Heading", "The text goes on"]),
        ("A price of EUR 4.5 million is due.", ["A price of EUR 4.5 million is due."]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_say(text, expected):
    assert texts(text) == expected


def test_offsets_are_shifted():
    [first, second] = sentences.split("It ends. It began.", offset=10)
    assert (first.start, second.start) == (10, 19)


@given(st.text(alphabet=st.sampled_from("aB1 .!?;:\n\t“”()§é\u200b"), max_size=2000))
def test_spans_are_ordered_and_cover_every_visible_character(text):
    spans = sentences.split(text)
    assert all(left.end <= right.start for left, right in zip(spans, spans[1:], strict=False))
    assert all(span.end - span.start <= sentences.LONGEST for span in spans)
    covered = {place for span in spans for place in range(span.start, span.end)}
    assert all(char.isspace() for place, char in enumerate(text) if place not in covered)


def test_a_table_without_stops_is_cut():
    spans = sentences.split("cell " * 2000)
    assert max(span.end - span.start for span in spans) <= sentences.LONGEST
