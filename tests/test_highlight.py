"""Snippets and marks lose no character."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge import highlight
from knowledge.highlight import Piece

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


def test_what_was_found_from_before_the_text_on_is_shown_with_what_follows():
    text = "the rent is due " + "and so on " * 100
    pieces = highlight.snippet(text, "", [(-5, 8)])
    assert pieces[0] == Piece("the rent", is_marked=True)
    assert sum(len(piece.text) for piece in pieces) > 200
    assert highlight.snippet(text, "", [(-9, -2)]) == highlight.snippet(text, "")


@given(words, words)
def test_marking_changes_no_text(text, query):
    assert "".join(piece.text for piece in highlight.marked(text, highlight.terms(query))) == text


@given(words, st.lists(st.tuples(st.integers(-20, 1000), st.integers(-20, 1000)), max_size=5))
def test_spans_that_overlap_or_stick_out_change_no_text(text, ranges):
    assert "".join(piece.text for piece in highlight.spans(text, ranges)) == text


@given(st.text("ab \n", min_size=1, max_size=900), st.data())
def test_the_stretch_around_a_place_holds_all_of_it_and_marks_whatever_else_it_shows(text, data):
    first = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(first + 1, len(text)))
    other = data.draw(st.integers(0, len(text) - 1))
    pieces = highlight.around(text, first, [(first, end), (other, other + 1)])
    shown = "".join(piece.text for piece in pieces if piece not in (Piece("… "), Piece(" …")))
    assert shown in text
    assert sum(len(piece.text) for piece in pieces if piece.is_marked) >= end - first
