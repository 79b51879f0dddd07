"""Attention over what lies in parts, beside the same written out whole in fp32."""

import math

import pytest
import torch

from inference.generator.attention import TILE, How, Pack
from inference.generator.products import STRAIGHT, TURNED, products
from inference.generator.segment import Segment, Shape, State

HEADS, GROUPS, WIDTH = 6, 2, 16
CLOSE = {torch.bfloat16: 0.03, torch.float32: 1e-5}


def expected(query, keys, values, window):
    """(H, T, D) × (G, L, D) in fp32"""
    new, length = query.shape[1], keys.shape[1]
    keys, values = (side.float().repeat_interleave(HEADS // GROUPS, 0) for side in (keys, values))
    rows, columns = torch.arange(length - new, length)[:, None], torch.arange(length)[None]
    hidden = (columns > rows) | ((columns <= rows - window) if window else False)
    scores = (query.float() @ keys.transpose(1, 2) / math.sqrt(WIDTH)).masked_fill(hidden, -math.inf)
    return torch.softmax(scores, -1) @ values


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("window", [0, 20, 100])
@pytest.mark.parametrize("new", [1, 5, TILE, 2 * TILE + 7])
@pytest.mark.parametrize("before", [[], [30], [90, 1, 40]])
@torch.inference_mode()
def test_every_query_sees_what_is_before_it_and_in_its_window(new, before, window, dtype):
    torch.manual_seed(new + len(before))
    rows = torch.randn(2, GROUPS, sum(before) + new, WIDTH).to(dtype)
    parts = torch.split(rows[:, :, : sum(before)], before, dim=2) if before else []
    state = State(
        Shape(1, GROUPS, WIDTH, dtype, torch.device("cpu")), "", None, [Segment(part[None]) for part in parts]
    )
    state.expect(new)
    query = torch.randn(HEADS, new, WIDTH).to(dtype)
    pack = Pack([state], [new], lambda: None)
    pack.update(*rows[:, None, :, sum(before) :], 0)
    mixed = pack.attend(query[None], 0, How(1 / math.sqrt(WIDTH), None, window))[0].transpose(0, 1)
    torch.testing.assert_close(
        mixed.float(), expected(query, *rows, window), atol=CLOSE[dtype], rtol=CLOSE[dtype]
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [5, TURNED, TURNED + 1, STRAIGHT + 1])
def test_products_are_those_of_each_group(dtype, length):
    """Of views into a longer row, turned and straight, in one call and one by one."""
    chance = torch.Generator().manual_seed(length)
    rows = torch.randn(3, length + 7, 16, generator=chance).to(dtype)[:, :length]
    some, weights = (torch.randn(3, 4, n, generator=chance).to(dtype) for n in (16, length))
    for one, other in ((some, rows.transpose(1, 2)), (weights, rows)):
        expected = torch.stack([a.float() @ b.float() for a, b in zip(one, other, strict=True)])
        assert torch.allclose(products(one, other).float(), expected, rtol=0.01, atol=0.01 * length**0.5)
