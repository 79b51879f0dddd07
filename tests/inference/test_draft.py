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
    draft = Draft([chance.randrange(4) for _ in range(3000)], costs)
    steps, lost = 0, 0.0
    for _ in range(400):
        guessed = draft.guess(15)
        steps += 1
        if guessed:
            draft.learn(len(guessed), 0)
            lost += costs.of(1 + len(guessed)) - 1
        draft.add(chance.randrange(4))
    assert 0 < lost / steps < 0.02


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
