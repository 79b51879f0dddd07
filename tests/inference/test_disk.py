"""What was read, on disk: after a restart, and after the files were damaged."""

import os
import time
from threading import Event

import numpy as np
import pytest
import torch

from inference.generator.disk import BLOCK, Disk, Place
from inference.generator.engine import Engine, Limits
from inference.generator.prefixes import tokens_of
from inference.generator.rounding import EXACT
from inference.generator.segment import Segment, Shape
from inference.generator.shares import IN_USE_SECONDS
from tests.inference.test_engine import FAMILIES, ask, pair, prompt, reference

SHAPE = Shape(2, 2, 8, torch.float32, torch.device("cpu"))
TOKENS = tokens_of(range(3 * BLOCK + 10))
KEY = bytes(range(32))


def opened(folder, most=1 << 30, fingerprint="model", key=None):
    return Disk(Place(folder, most, fingerprint, key), SHAPE)


@pytest.fixture
def numbers():
    return torch.randn(2, 2, 2, len(TOKENS), 8, generator=torch.Generator().manual_seed(1))


def saved(disk, numbers, scope="a"):
    segment = Segment(numbers)
    disk.save(scope, TOKENS, [segment.part(0, 100), segment.part(100, len(TOKENS))])
    disk.wait()
    return disk


@pytest.mark.parametrize("key", [None, KEY])
def test_whole_blocks_are_there_after_a_restart(tmp_path, numbers, key):
    saved(opened(tmp_path, key=key), numbers)
    again = opened(tmp_path, key=key)
    for known in (0, 100, BLOCK, 3 * BLOCK - 1):
        found = again.load("a", TOKENS, known)
        assert torch.equal(found.numbers, numbers[:, :, :, known : 3 * BLOCK])
    assert again.load("a", TOKENS, 3 * BLOCK) is None


@pytest.mark.parametrize("other", [{"fingerprint": "another model"}, {"key": KEY}])
def test_another_model_or_key_finds_nothing(tmp_path, numbers, other):
    saved(opened(tmp_path), numbers)
    assert opened(tmp_path, **other).load("a", TOKENS, 0) is None


def test_another_scope_or_text_finds_nothing(tmp_path, numbers):
    disk = saved(opened(tmp_path), numbers)
    assert disk.load("b", TOKENS, 0) is None
    changed = np.concatenate([[7], TOKENS[1:]]).astype(np.int32)
    assert disk.load("a", changed, 0) is None
    disk.forget("a")
    assert disk.load("a", TOKENS, 0) is None


class Slow(Segment):
    """Its writing waits, in the midst, until it may go on."""

    def __init__(self, numbers) -> None:
        super().__init__(numbers)
        self.reached, self.may_go_on = Event(), Event()

    def part(self, start, stop):
        if start == BLOCK:
            self.reached.set()
            assert self.may_go_on.wait(10)
        return super().part(start, stop)


def test_what_is_being_written_when_its_scope_is_forgotten_does_not_come_back(tmp_path, numbers):
    disk, slow = opened(tmp_path), Slow(numbers)
    disk.save("a", TOKENS, [slow])
    disk.save("a", TOKENS, [Segment(numbers)])
    disk.save("b", TOKENS, [Segment(numbers)])
    assert slow.reached.wait(10)
    assert disk.load("a", TOKENS, 0) is not None
    disk.forget("a")
    slow.may_go_on.set()
    disk.wait()
    assert disk.load("a", TOKENS, 0) is None
    assert [path.name for path in tmp_path.iterdir()] == [disk._files.home("b").name]
    assert saved(disk, numbers).load("a", TOKENS, 0) is not None


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: data[:-1] + b"?", lambda data: b""]
)
def test_a_damaged_file_is_not_believed(tmp_path, numbers, key, damage):
    disk = saved(opened(tmp_path, key=key), numbers)
    second = disk._names("a", TOKENS)[1]
    second.write_bytes(damage(second.read_bytes()))
    found = disk.load("a", TOKENS, 0)
    assert torch.equal(found.numbers, numbers[:, :, :, :BLOCK])
    assert not second.exists()


def test_numbers_of_another_shape_are_deleted(tmp_path, numbers):
    disk = saved(opened(tmp_path), numbers)
    second = disk._names("a", TOKENS)[1]
    second.unlink()
    disk._files.save("a", [(second, lambda: {"numbers": numbers[:, :, :, :7]})])
    disk.wait()
    assert len(disk.load("a", TOKENS, 0)) == BLOCK
    assert not second.exists()


def test_what_cannot_be_written_is_said_and_the_next_is_written(tmp_path, numbers, caplog):
    disk, slow = opened(tmp_path), Slow(numbers)
    disk.save("a", TOKENS, [slow])
    assert slow.reached.wait(10)
    disk.save("b", TOKENS, [Segment(numbers[:1, :, :, :5]), Segment(numbers[:, :, :, 5:])])
    disk.save("c", TOKENS, [Segment(numbers)])
    slow.may_go_on.set()
    disk.wait()
    assert "could not be kept on disk: RuntimeError" in caplog.text
    assert len(disk.load("c", TOKENS, 0)) == 3 * BLOCK


def test_the_files_stay_in_their_budget(tmp_path, numbers):
    one = saved(opened(tmp_path / "measure"), numbers)._names("a", TOKENS)[0].stat().st_size
    disk = opened(tmp_path / "small", 4 * one)
    texts = [TOKENS + start for start in range(3)]
    for tokens in texts:
        disk.save("a", tokens, [Segment(numbers)])
        disk.wait()
        assert sum(path.stat().st_size for path in tmp_path.glob("small/*/*")) <= 4 * one
    assert disk.load("a", texts[0], 0) is None
    assert len(disk.load("a", texts[1], 0)) == BLOCK  # its end went first
    assert len(disk.load("a", texts[2], 0)) == 3 * BLOCK


def test_no_scope_pushes_another_below_its_share_of_the_disk(tmp_path, numbers):
    """But one that nobody has used for long gives way."""
    file = 3 * BLOCK * 2 * 2 * 2 * 8 * 4 // 3 + 400  # bytes, about
    saved(opened(tmp_path), numbers, "a")
    disk = opened(tmp_path, most=7 * file)
    for scope in "bc":
        segment = Segment(numbers)
        for start in range(3):
            tokens = tokens_of(range(start, len(TOKENS)))
            disk.save(scope, tokens, [segment.part(start, len(TOKENS))])
            disk.wait()
    assert len(disk.load("a", TOKENS, 0)) >= 2 * BLOCK
    old = time.time() - 2 * IN_USE_SECONDS
    for path in disk._files.home("a").iterdir():
        os.utime(path, (old, old))
    saved(disk, numbers, "d")
    assert disk.load("a", TOKENS, 0) is None
    assert len(disk.load("d", TOKENS, 0)) == 3 * BLOCK


def test_a_new_engine_goes_on_from_what_an_old_one_read(tmp_path):
    engine, plain = pair(FAMILIES[0])

    def started():
        return Engine(engine.reader.model, frozenset(), Limits(), Place(tmp_path, 1 << 30, "m", KEY))

    document = prompt(300)
    old = started()
    ask(old, document + prompt(9, seed=2), 1, "a").tokens()
    old.memory._disk.wait()
    new, ids = started(), document + prompt(9, seed=3)
    request = ask(new, ids, 12, "a")
    assert request.tokens() == reference(plain, ids, 12)
    assert request.cached == 2 * BLOCK
    assert ask(new, ids, 12, "b").tokens() == reference(plain, ids, 12)


def test_rounded_it_takes_a_quarter_of_fp32_and_says_nearly_the_same():
    """The quality for a real model is measured in the benchmarks."""
    engine, plain = pair(FAMILIES[0], Limits(rounds=True))
    document = prompt(200)
    ask(engine, document, 0).tokens()
    row = 16 + 14 + 2  # bytes of a token's keys and values of 16 numbers each, of one head in one layer
    scales = 3 * 2 * 16 * 2  # bytes: one number for each channel of the keys
    exact = EXACT * engine.reader.shape.token_bytes
    assert engine.memory.bytes == (200 - EXACT) * 3 * 2 * row + scales + exact
    ids = document + prompt(9, seed=3)
    request = ask(engine, ids, 12)
    written = request.tokens()
    assert request.cached == 200
    assert sum(a == b for a, b in zip(written, reference(plain, ids, 12), strict=True)) >= 6


def test_rounded_the_first_tokens_are_kept_as_they_were_read():
    engine, plain = pair(FAMILIES[0], Limits(rounds=True))
    ids = prompt(EXACT + 1)
    ask(engine, ids[:2], 0).tokens()  # a beginning shorter than what is kept exactly
    for count in (EXACT, EXACT + 1):
        assert ask(engine, ids[:count], 12).tokens() == reference(plain, ids[:count], 12)
    _, read = engine.memory.prefixes.find("", tokens_of(ids))
    assert [(len(segment), segment.scale is None) for segment in read] == [(2, True), (2, True), (1, False)]
