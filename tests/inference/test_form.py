"""A text begins as told and its brackets hold known ids, whatever the model would like to write."""

import re

import pytest
import torch

from inference.generator import Message, Options
from inference.generator.form import Form, Pieces


@pytest.fixture(scope="module")
def pieces(smol):
    return Pieces(smol.tokenizer, frozenset({smol.tokenizer.eos_token_id}))


def follows(form, tokenizer, text):
    """Whether the rule lets this text through, token by token."""
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        if not form.allows(token):
            return False
        form.add(token)
    return True


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Rent is due [S1].", True),
        ("Rent is due [S1, S12] and [S2].", True),
        ("Rent is due [S1,S2]", True),
        ("Rent is due [S3].", False),
        ("Rent is due [S1 S2].", False),
        ("Rent is due [S1, S1].", False),
        ("Rent is due [].", False),
        ("Rent [sic] is due.", False),
        ("No brackets (but these) at all ].", True),
    ],
)
def test_a_text_is_let_through_or_not(smol, pieces, text, good):
    assert follows(Form(pieces, ("S1", "S2", "S12")), smol.tokenizer, text) is good


def test_an_open_bracket_cannot_be_left_by_ending_the_text(smol, pieces):
    form = Form(pieces, ("S1",))
    assert follows(form, smol.tokenizer, "Due [S")
    assert not form.allows(smol.tokenizer.eos_token_id)
    assert not form.allows(smol.tokenizer("\n", add_special_tokens=False)["input_ids"][0])


def test_whatever_is_likeliest_a_bracket_comes_to_its_end(smol, pieces):
    """Random wishes, a thousand times over: each bracket is closed with ids that exist."""
    torch.manual_seed(4)
    names = ("S1", "S2", "S12", "D3")
    opening = smol.tokenizer("[", add_special_tokens=False)["input_ids"][-1]
    for _ in range(20):
        form, text = Form(pieces, names), ""
        for step in range(40):
            logits = torch.randn(len(smol.tokenizer))
            logits[opening] += 100.0 * (step == 0)
            token = form.choose(logits)
            form.add(token)
            text += pieces[token]
            if text.endswith("]"):
                break
        inside = re.findall(r"\[([^\]]*)\]", text)
        assert inside and all(name.strip() in names for name in inside[0].split(","))


def test_a_generator_keeps_to_the_ids(tiny_generator):
    """Random weights open brackets now and then; among many tokens some would hold anything."""
    ask = [Message("user", "Cite [S1] and [S2]. " * 5)]
    stream = tiny_generator.stream(
        ask, Options(max_tokens=200, ids=("S1", "S2"), temperature=1.5), lambda: False
    )
    text = "".join(stream)
    assert all(set(re.split(r", ?", found)) <= {"S1", "S2"} for found in re.findall(r"\[([^\]]*)\]", text))


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Yes: it is due [S1].", True),
        ("No.", True),
        ("No. Nothing [S1] says so.", True),
        ("Nothing says so.", False),
        ("Not at all", False),
        (" Yes: it is due", False),
        ("Yes: it is due [S2].", False),
    ],
)
def test_a_text_begins_with_one_of_its_openings(smol, pieces, text, good):
    assert follows(Form(pieces, ("S1",), ("Yes:", "No.", "Undecided.")), smol.tokenizer, text) is good


def test_with_openings_alone_brackets_hold_anything(smol, pieces):
    assert follows(Form(pieces, openings=("Yes:",)), smol.tokenizer, "Yes: rent [sic] is due")


def test_a_text_does_not_end_before_its_opening(smol, pieces):
    form = Form(pieces, openings=("Undecided.",))
    end = smol.tokenizer.eos_token_id
    assert follows(form, smol.tokenizer, "Und")
    assert not form.allows(end)
    assert follows(form, smol.tokenizer, "ecided.")
    assert form.allows(end)


def test_a_generator_begins_as_told(tiny_generator):
    """Random weights would begin with anything."""
    ask = [Message("user", "Is the rent due?")]
    begins = ("Yes:", "No.", "Undecided.")
    options = Options(max_tokens=30, openings=begins, temperature=1.5)
    for _ in range(5):
        assert "".join(tiny_generator.stream(ask, options, lambda: False)).startswith(begins)
