"""Guesses from the prompt itself: they save steps, and never change the text."""

import random

import pytest

from inference.generator.draft import Costs, Draft
from inference.generator.engine import Limits
from tests.inference.test_engine import FAMILIES, ask, pair, prompt, reference


def test_a_guess_is_how_the_text_went_on():
    draft = Draft([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], Costs())
    assert draft.guess(4) == [4, 5, 6, 7]
    draft.add(4)
    assert draft.guess(2) == [5, 6]
    draft.add(77)
    assert draft.guess(4) == []


def test_a_guess_grows_with_what_agrees_and_with_what_holds():
    text = list(range(100, 200))
    few, many = Draft([*text, *text[:2]], Costs()), Draft([*text, *text[:20]], Costs())
    assert len(few.guess(50)) < len(many.guess(50))
    before = len(many.guess(50))
    for token in text[20:60]:
        many.add(token)
    assert len(many.guess(50)) > before


def test_what_goes_round_is_guessed_beyond_its_end():
    draft = Draft([1, 2, 3] * 10, Costs())
    assert draft.guess(7) == [1, 2, 3, 1, 2, 3, 1]


def test_guesses_come_back_when_the_answer_begins_to_quote():
    """They have cost too much; then it is seen, without guessing, that they would hold."""
    text = list(range(100, 200))
    draft = Draft([*text, *text[:20]], Costs())
    while guessed := draft.guess(15):
        draft.learn(len(guessed), 0)
    for token in text[20:30]:
        draft.add(token)
        draft.guess(15)
    assert draft.guess(3) == text[30:33]


def test_of_several_places_the_one_that_agrees_longest_is_taken():
    draft = Draft([9, 1, 2, 3, 50, 8, 1, 2, 3, 60, 9, 1, 2, 3], Costs())
    assert draft.guess(1) == [50]


def test_the_right_place_is_found_among_many_where_the_same_tokens_stand():
    clauses = [token for n in range(100, 140) for token in (n, 1, 2, 3, 60)]
    draft = Draft([9, 8, 1, 2, 3, 50, *clauses, 9, 8, 1, 2, 3], Costs())
    assert draft.guess(1) == [50]


def test_guessing_stops_before_it_has_cost_a_fiftieth():
    """Every guess is wrong here, and a wrong one costs what it costs on a slow machine."""
    chance = random.Random(3)  # noqa: S311
    costs = Costs()
    for rows, seconds in ((1, 1.0), (4, 1.4), (8, 1.8), (16, 2.5)):
        for _ in range(3):
            costs.add(rows, seconds)
    assert costs.of(8) == pytest.approx(1.8, rel=0.1)
    ids = [chance.randrange(4) for _ in range(3000)]
    draft, told = Draft(ids, costs), Draft(ids, Costs())
    told._worth = lambda limit: 1
    lost = 0.0
    for _ in range(400):
        if guessed := draft.guess(15):
            draft.learn(len(guessed), 0)
            lost += costs.of(1 + len(guessed)) - 1
        token = (told.guess(1)[0] + chance.randrange(1, 4)) % 4
        draft.add(token)
        told.add(token)
    assert 0 < lost / 400 < 0.02


@pytest.mark.parametrize("repeats", [1, 6])
def test_the_text_with_guesses_is_the_text_without(repeats):
    """A random model soon goes round in its own words: guesses hold; on the way there they fail."""
    engine, plain = pair(FAMILIES[0], Limits(alone=64))
    ids = prompt(30, seed=8) * repeats
    engine._costs.add = lambda rows, seconds: None  # what steps take here is noise
    steps = []
    step = engine.reader.step
    engine.reader.step = lambda feeds, check: (steps.append(len(feeds[0].tokens)), step(feeds, check))[1]
    assert ask(engine, ids, 150).tokens() == reference(plain, ids, 150)
    assert max(steps[3:]) > 4
    assert len(steps) < (150 if repeats == 1 else 100)
