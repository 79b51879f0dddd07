"""A device that runs out of memory: in a prompt, after the first token, and where something is remembered."""

from dataclasses import dataclass, field

import pytest
import torch

from inference.errors import Unavailable
from inference.generator import engine as engines
from inference.generator import layout
from inference.generator.engine import Limits
from inference.generator.layout import Layout
from inference.generator.memory import Memory
from inference.generator.segment import Shape
from inference.generator.snapshots import Snapshots
from tests.inference.conftest import wait_for
from tests.inference.test_engine import FAMILIES, ask, pair, prompt, reference
from tests.inference.test_snapshots import KIMI

LIMITS = Limits(alone=16, beside=8)
NO_MEMORY = "not enough memory"


@dataclass(frozen=True)
class Scarce(Shape):
    """A device with room for so many rows of running sequences, or that fails at some of the requests."""

    most: int = 1 << 30
    fails: list[int] = field(default_factory=list)
    running: list = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def empty(self, rows):
        self.asked.append(rows)
        held = sum(int(running.state._own.shape[3]) for running in self.running)
        if held + rows > self.most or len(self.asked) in self.fails:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().empty(rows)


def packed(most=1 << 30, fails=()):
    """An engine whose rows are scarce, and the same model as the library runs it."""
    engine, plain = pair(FAMILIES[0], LIMITS)
    shape = engine.reader.shape
    given = (shape.layers, shape.heads, shape.width, shape.dtype, shape.device)
    scarce = Scarce(*given, most, list(fails), engine._running)
    engine.memory = Memory(scarce, 1 << 20, 0)
    return engine, plain


def unpacked(most):
    """As packed(); memory runs out in the last layer, when the others have changed their states already."""
    engine, plain = pair(KIMI, LIMITS)

    def allocate(module, given):
        if sum(len(running.state) for running in engine._running) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    engine.reader.model.model.layers[-1].mlp.register_forward_pre_hook(allocate)
    return engine, plain


def left(engine):
    """What is wrong with an engine that rests."""
    wait_for(lambda: engine.is_idle)
    return engine.memory.prefixes.pins


@pytest.mark.parametrize(("scarce", "most"), [(packed, 260), (unpacked, 190)])
def test_the_newest_of_two_goes_and_says_so_after_it_has_written(scarce, most, monkeypatch):
    monkeypatch.setattr(engines, "ROOM", 8)
    engine, plain = scarce(most)
    older = ask(engine, prompt(20), 100)
    wait_for(lambda: engine._running and engine._running[0].written)
    newer = ask(engine, prompt(30, seed=2), 200)
    written = []
    with pytest.raises(Unavailable, match=NO_MEMORY) as caught:
        while True:
            written.append(newer.get(60))
    assert caught.value.retry_after == 5
    assert len(written) > 10
    assert written == reference(plain, prompt(30, seed=2), len(written))
    assert older.tokens() == reference(plain, prompt(20), 100)
    assert left(engine) == 0
    for ids in (prompt(30, seed=2), [*prompt(30, seed=2), *written]):
        assert ask(engine, ids, 8).tokens() == reference(plain, ids, 8)


@pytest.mark.parametrize(("scarce", "most"), [(packed, 100), (unpacked, 100)])
def test_a_prompt_that_does_not_fit_says_so_and_the_next_is_served(scarce, most):
    engine, plain = scarce(most)
    with pytest.raises(Unavailable, match=NO_MEMORY):
        ask(engine, prompt(150), 5).tokens()
    assert left(engine) == 0
    for ids in (prompt(60), prompt(70)):
        assert ask(engine, ids, 8).tokens() == reference(plain, ids, 8)


@pytest.mark.parametrize("scarce", [packed, unpacked])
def test_what_is_remembered_is_given_back_first(scarce, monkeypatch):
    """The step that found no memory is done again as if it had not been."""
    monkeypatch.setattr(engines, "ROOM", 8)
    engine, plain = scarce(1 << 30)
    ask(engine, prompt(50), 1).tokens()
    assert left(engine) == 0
    before = engine.memory.bytes
    assert before > 0
    calls = []

    def allocate(module, given):
        calls.append(engine.memory.bytes)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    engine.reader.model.model.layers[-1].mlp.register_forward_pre_hook(allocate)
    if scarce is packed:
        engine.reader._lean = None  # the library's forward pass, which asks its layers
    ids = prompt(60, seed=2)
    assert ask(engine, ids, 30).tokens() == reference(plain, ids, 30)
    assert calls[2] >= before > calls[3]


def test_without_room_to_be_shared_a_prompt_is_answered_all_the_same():
    engine, plain = packed(fails=[3])  # a state that is empty, room for the prompt, room for the answer
    ids = prompt(50)
    assert ask(engine, ids, 30).tokens() == reference(plain, ids, 30)
    assert left(engine) == 0
    assert ask(engine, ids, 30).tokens() == reference(plain, ids, 30)


class Full(Snapshots):
    """Has no memory for a copy, whatever is asked for."""

    def _keep(self, state, tokens):
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_without_room_for_a_copy_of_the_state_a_prompt_is_answered_all_the_same():
    engine, plain = pair(KIMI, LIMITS)
    engine.memory = Full(Layout(engine.reader.model), 1 << 30, 0, 16)
    asked = [prompt(100), prompt(90, seed=2)]
    running = [ask(engine, ids, 12) for ids in asked]
    assert [request.tokens() for request in running] == [reference(plain, ids, 12) for ids in asked]
    assert left(engine) == 0


class Watching(Memory):
    """Sees how many tokens each of those running has whenever something is to be remembered."""

    def watch(self, engine):
        self.engine, self.seen = engine, []
        return self

    def passed(self, state, ids):
        self.seen.append([len(running.written) for running in self.engine._running])

    def share(self, state, ids, room):
        self.passed(state, ids)


def test_all_of_a_step_have_their_tokens_before_anything_is_remembered():
    """What goes wrong there is not to lose them."""
    engine, plain = pair(FAMILIES[0], LIMITS)
    engine.memory = Watching(engine.reader.shape, 1 << 20, 0).watch(engine)
    asked = [prompt(3), prompt(4, seed=2)]
    with engine._changed:  # both in one step
        running = [ask(engine, ids, 2) for ids in asked]
    assert [request.tokens() for request in running] == [reference(plain, ids, 2) for ids in asked]
    assert engine.memory.seen == [[1, 1]] * 4


def test_where_nobody_knows_the_cache_all_of_the_step_go_and_the_next_is_served(monkeypatch):
    """They cannot be led back: what they would write on from would be wrong."""
    monkeypatch.setattr(layout, "KNOWN", layout.KNOWN - {layout.DynamicLayer})
    engine, plain = unpacked(100)
    running = [ask(engine, prompt(30, seed), count) for seed, count in ((1, 40), (2, 100))]
    for request in running:
        with pytest.raises(Unavailable, match=NO_MEMORY):
            request.tokens()
    assert ask(engine, prompt(30), 8).tokens() == reference(plain, prompt(30), 8)
