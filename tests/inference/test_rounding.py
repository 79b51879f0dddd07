"""What is remembered in half the memory: how far it may be from what was read."""

import pytest
import torch

from inference.errors import ModelMissing
from inference.generator import rounding
from inference.generator.memory import Memory
from inference.generator.prefixes import Prefixes, tokens_of
from inference.generator.rounding import EXACT, opened, rounded
from inference.generator.segment import Segment, Shape

LENGTH = 50


def numbers(width, dtype=torch.float32):
    """Layers of different size, with a channel of keys and a token a hundred times the others."""
    made = torch.randn(2, 2, 3, LENGTH, width, generator=torch.Generator().manual_seed(4))
    made[1] *= 1000
    made[:, 0, :, :, 3] *= 100
    made[:, 1, :, 7] *= 100
    return made.to(dtype)


@pytest.mark.parametrize("width", [8, 16, 64, 80, 96, 128, 256])
def test_no_number_moves_by_more_than_half_a_step(width):
    before = numbers(width)
    rows, scale = rounded(before)
    after = opened(rows, scale, torch.float32)
    keys, values = (before - after).abs().unbind(1)
    # bf16 rounds a scale by up to 1/256, and the largest number is cut off by as much
    most = 1.02 * before.abs()[:, 0].amax(dim=2, keepdim=True) * (0.5 / 127 + 1 / 256)
    assert (keys <= most).all()
    most = 1.02 * before.abs()[:, 1].amax(dim=3, keepdim=True) * (0.5 / 63 + 1 / 256)
    assert (values <= most).all()
    assert values.max() > 0  # it is rounded at all


@pytest.mark.parametrize("width", [32, 64, 80, 128, 256])
def test_a_token_takes_less_than_half_of_bf16(width):
    rows, _ = rounded(numbers(width))
    assert rows.dtype == torch.uint8
    assert rows.numel() < numbers(width).numel()


def test_a_part_of_a_rounded_stretch_is_that_of_the_whole():
    whole = Segment(numbers(16)).rounded()
    part = whole.part(20, 31).copy()
    assert torch.equal(
        part.opened(torch.float32).numbers, whole.opened(torch.float32).numbers[:, :, :, 20:31]
    )


def test_zeros_and_bf16_come_back_as_they_were():
    nothing = torch.zeros(1, 2, 1, EXACT, 8, dtype=torch.bfloat16)
    back = opened(*rounded(nothing), torch.bfloat16)
    assert back.dtype == torch.bfloat16
    assert torch.equal(back, nothing)


@pytest.mark.parametrize("width", [100, 20])
def test_heads_that_do_not_fit_are_refused_at_the_start(width):
    shape = Shape(1, 1, width, torch.bfloat16, torch.device("cpu"))
    with pytest.raises(ModelMissing, match="GENERATOR_CACHE_INT8"):
        Memory(shape, 1 << 20, 0, rounds=True)
    Memory(shape, 1 << 20, 0)


def test_no_pin_is_left_where_rounding_runs_out_of_memory(monkeypatch):
    shape = Shape(2, 3, 16, torch.float32, torch.device("cpu"))
    memory = Memory(shape, 1 << 30, 0, rounds=True)
    ids = list(range(LENGTH))
    state = memory.open("scope", ids)
    for layer in range(shape.layers):
        state.write(layer, *torch.randn(2, 3, LENGTH - 1, 16))
    state.filled = LENGTH - 1

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(rounding, "rounded", fail)
    with pytest.raises(MemoryError):
        memory.share(state, ids[:-1], 0)
    memory.close(state, tokens_of([]))
    while memory.shrink():
        pass
    assert memory.bytes == 0


def test_the_budget_counts_scales_wherever_a_stretch_is_split():
    segment = Segment(numbers(16)).rounded()
    prefixes = Prefixes(1 << 30, 0, torch.device("cpu"))
    node = prefixes.find("a", tokens_of([]))[0]
    node = prefixes.add("a", tokens_of(range(LENGTH)), segment, node)
    assert prefixes.bytes[True] == segment.numbers.nbytes + segment.scale.nbytes
    prefixes.release(node)
    split, shared = prefixes.find("a", tokens_of([*range(20), 99]))
    assert [len(part) for part in shared] == [20]
    assert prefixes.bytes[True] == segment.numbers.nbytes + 2 * segment.scale.nbytes
    prefixes.release(split)
    prefixes.shrink()
    assert prefixes.bytes[True] == 0
