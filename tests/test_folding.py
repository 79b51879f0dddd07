"""A quotation is found although the source writes it otherwise, and is always the source's own text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import folding


@pytest.mark.parametrize(
    ("quote", "source", "found"),
    [
        ("shall pay the rent", "The tenant shall pay the rent.", "shall pay the rent"),
        ("shall pay the rent", "The tenant shall\n  pay the\u00a0rent.", "shall\n  pay the\u00a0rent"),
        ("the offices first", "in the o\ufb03ces \ufb01rst", "the o\ufb03ces \ufb01rst"),
        ("on termination of it", "on termi-\nnation of it", "on termi-\nnation of it"),
        ('it\'s "final" - and so', "it’s “final” – and so", "it’s “final” – and so"),
        ("unenforceable in court", "un-\nenforceable in court", "un-\nenforceable in court"),
        ("non-exclusive licence", "a non-exclusive licence", "non-exclusive licence"),
        ("term agreement", "a long-term agreement", "term agreement"),
        ("enforceable now", "unenforceable now, enforceable now", "enforceable now"),
        ("The Tenant Shall Pay", "the tenant shall pay", "the tenant shall pay"),
        (
            "the amount of the claim in arbitration",
            "the arnount of the clairn in arbitrati0n is",
            "the arnount of the clairn in arbitrati0n",
        ),
    ],
)
def test_a_quotation_is_found_in_the_words_of_the_source(quote, source, found):
    span = folding.find(quote, source)
    assert span is not None
    assert source[slice(*span)] == found


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        ("shall pay the rent", "shall not pay the rent"),
        ("EUR 4,500,000", "EUR 4,600,000"),
        ("well-known", "well known"),
        ("0 days", "o days"),  # too short for what OCR confuses
        ("enforceable in this court", "unenforceable in this court"),
        ("enforceable in this court", "UnEnforceable in this court"),
        ("the clause is enforce", "the clause is enforceable"),
        ("000 dollars are owed", "5,000 dollars are owed"),
        ("the buyer owes 5", "the buyer owes 5,000 dollars"),
        # Half a word that a line break divides, or the word that its prefix turns round.
        ("enforceable in this court", "un-\nenforceable in this court"),
        ("enforceable in this court", "un-\n   enforceable in this court"),
        ("Enforceable in this court", "Un-\nEnforceable in this court"),
        ("enforceable in this court", "un\u00adenforceable in this court"),
        ("the clause is un", "the clause is un-\nenforceable"),
        ("exclusive licence", "a non-exclusive licence"),
        ("competitive bidding", "anti‑competitive bidding"),
        ("", "anything"),
        ("   ", "anything"),
    ],
)
def test_other_words_are_not_found(quote, source):
    assert folding.find(quote, source) is None


@given(st.text(alphabet="abrn m-\n’fi\ufb01", min_size=1, max_size=60), st.data())
def test_every_stretch_of_whole_words_is_found_where_the_text_says_it(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    if text[start:end].strip() and not (folding.is_cut(text, start) or folding.is_cut(text, end)):
        span = folding.find(text[start:end], text)
        assert span is not None
        assert folding.fold(text[slice(*span)])[0].strip() == folding.fold(text[start:end])[0].strip()
