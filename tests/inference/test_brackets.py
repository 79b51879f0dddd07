"""Square brackets hold known ids only, whatever the model would like to write."""

import re

import pytest
import torch

from inference.generator import Message, Options
from inference.generator.brackets import Brackets, Pieces


@pytest.fixture(scope="module")
def pieces(smol):
    return Pieces(smol.tokenizer, frozenset({smol.tokenizer.eos_token_id}))


def follows(brackets, pieces, tokenizer, text):
    """Whether the rule lets this text through, token by token."""
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        if not brackets.allows(token):
            return False
        brackets.add(token)
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
    assert follows(Brackets(("S1", "S2", "S12"), pieces), pieces, smol.tokenizer, text) is good


def test_an_open_bracket_cannot_be_left_by_ending_the_text(smol, pieces):
    brackets = Brackets(("S1",), pieces)
    assert follows(brackets, pieces, smol.tokenizer, "Due [S")
    assert not brackets.allows(smol.tokenizer.eos_token_id)
    assert not brackets.allows(smol.tokenizer("\n", add_special_tokens=False)["input_ids"][0])


def test_whatever_is_likeliest_a_bracket_comes_to_its_end(smol, pieces):
    """Random wishes, a thousand times over: each bracket is closed with ids that exist."""
    torch.manual_seed(4)
    names = ("S1", "S2", "S12", "D3")
    opening = smol.tokenizer("[", add_special_tokens=False)["input_ids"][-1]
    for _ in range(20):
        brackets, text = Brackets(names, pieces), ""
        for step in range(40):
            logits = torch.randn(len(smol.tokenizer))
            logits[opening] += 100.0 * (step == 0)
            token = brackets.choose(logits)
            brackets.add(token)
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
