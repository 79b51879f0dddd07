"""Snippets and marks lose no character."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge import highlight

words = st.text(alphabet=st.sampled_from("abc terminat ion\n.§é"), max_size=900)


def test_the_words_of_the_query_are_marked_in_any_form():
    pieces = highlight.snippet("The parties terminated the agreements early.", "agreement termination")
    assert [piece.text for piece in pieces if piece.is_marked] == ["terminated", "agreements"]


def test_the_snippet_is_cut_around_the_match():
    text = "filler " * 200 + "the indemnity survives " + "filler " * 200
    pieces = highlight.snippet(text, "indemnity")
    assert any(piece.is_marked and piece.text == "indemnity" for piece in pieces)
    assert pieces[0].text == "… "
    assert pieces[-1].text == " …"


@given(words, words)
def test_marking_changes_no_text(text, query):
    assert "".join(piece.text for piece in highlight.marked(text, highlight.terms(query))) == text


@given(words, st.lists(st.tuples(st.integers(-20, 1000), st.integers(-20, 1000)), max_size=5))
def test_spans_that_overlap_or_stick_out_change_no_text(text, ranges):
    assert "".join(piece.text for piece in highlight.spans(text, ranges)) == text
