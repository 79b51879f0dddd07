"""What models with a state have read, on disk: after a restart, and after the files were damaged."""

import os
from itertools import pairwise

import pytest
import torch
from transformers import AutoConfig

from inference.generator.disk import BLOCK, Place
from inference.generator.engine import Engine, Limits
from inference.generator.files import Files
from inference.generator.layout import Stretch
from inference.generator.prefixes import tokens_of
from inference.generator.states import StateDisk
from tests.inference.conftest import wait_for
from tests.inference.test_engine import ask, pair, prompt, reference
from tests.inference.test_snapshots import KIMI, KINDS, OTHERS, SMALL

KEY = bytes(range(32))
LENGTH = 2 * BLOCK + 50


@pytest.fixture(scope="module")
def kimi():
    return pair(KIMI)


def started(model, folder, **place):
    given = {"folder": folder, "most_bytes": 1 << 30, "fingerprint": "m"} | place
    return Engine(model, frozenset(), Limits(alone=64, beside=8), Place(**given))


def read(model, folder, document):
    """By an engine that is gone afterwards."""
    engine = started(model, folder)
    request = ask(engine, document, 0, "a")
    assert request.tokens() == []
    engine.memory._disk.wait()


@pytest.mark.parametrize("key", [None, KEY])
def test_a_new_engine_goes_on_from_the_states_of_an_old_one(kimi, tmp_path, key):
    engine, plain = kimi
    document = prompt(LENGTH)
    old = started(engine.reader.model, tmp_path, key=key)
    ask(old, document, 0, "a").tokens()
    old.memory._disk.wait()
    new, ids = started(engine.reader.model, tmp_path, key=key), document + prompt(9, seed=3)
    for scope, cached in (("a", LENGTH), ("b", 0)):
        request = ask(new, ids, 12, scope)
        assert request.tokens() == reference(plain, ids, 12)
        assert request.cached == cached
    other = started(engine.reader.model, tmp_path, fingerprint="another model", key=key)
    request = ask(other, ids, 1, "a")
    assert len(request.tokens()) == 1
    assert request.cached == 0


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_of_state_come_back_from_disk(kind, tmp_path):
    layers = {"num_hidden_layers": len(OTHERS[kind].get("layer_types", KINDS))}
    engine, plain = pair(AutoConfig.for_model(kind, **SMALL | layers | OTHERS[kind]))
    document = prompt(LENGTH)
    read(engine.reader.model, tmp_path, document)
    ids = document + prompt(9, seed=3)
    request = ask(started(engine.reader.model, tmp_path), ids, 8, "a")
    assert request.tokens() == reference(plain, ids, 8)
    assert request.cached == (2 * BLOCK if kind == "mixtral" else LENGTH)


def test_what_is_damaged_is_not_believed_and_a_shorter_text_is_gone_on_from(kimi, tmp_path):
    engine, plain = kimi
    document = prompt(LENGTH)
    read(engine.reader.model, tmp_path, document[:200])
    read(engine.reader.model, tmp_path, document)
    disk = StateDisk(Place(tmp_path, 1 << 30, "m"), engine.reader.layout)
    assert {200, LENGTH} <= disk._lengths("a")
    for damaged, cached in ((f"{LENGTH}-", 200), ("", 0)):
        for path in disk._files.home("a").glob(f"{damaged}*"):
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        ids = document + prompt(9, seed=3)
        again = started(engine.reader.model, tmp_path)
        request = ask(again, ids, 5, "a")
        assert request.tokens() == reference(plain, ids, 5)
        assert request.cached == cached
        again.memory._disk.wait()


class Counted(Files):
    """Counts how often a file is read."""

    reads = 0

    def read(self, name):
        self.reads += 1
        return super().read(name)


def on_disk(kimi, folder, stops, most=1 << 30):
    """A disk on which a text stands with states behind so many of its tokens, and its tokens."""
    layout, ids = kimi[0].reader.layout, prompt(max(stops))
    disk = StateDisk(Place(folder, most, "m"), layout)
    cache, stretches = layout.empty(), []
    for start, stop in pairwise([0, *stops]):
        kimi[0].reader.model(torch.tensor([ids[start:stop]]), past_key_values=cache, use_cache=True)
        stretches.append(layout.taken(cache, stop).part(start, stop))
    disk.save("a", tokens_of(ids), stretches)
    disk.wait()
    return disk, tokens_of(ids)


@torch.inference_mode()
def test_where_a_block_is_missing_each_file_is_read_once_at_most(kimi, tmp_path):
    stops = [*range(100, 10 * BLOCK, 100)]
    disk, tokens = on_disk(kimi, tmp_path, stops)
    blocks, _ = disk._names("a", tokens)
    disk._files = Counted(tmp_path, 1 << 30)
    for damage, reads in ((lambda: blocks[7].unlink(), 7 + 1), (lambda: blocks[4].write_bytes(b"?"), 7 + 1)):
        damage()
        disk._files.reads = 0
        found = disk.load("a", tokens, 0)
        assert disk._files.reads == reads
    assert len(found) == 600
    assert not blocks[4].exists()


@torch.inference_mode()
def test_over_the_budget_the_states_of_the_beginning_stay(kimi, tmp_path):
    stops = [150, 2 * BLOCK, 500, 700]
    disk, tokens = on_disk(kimi, tmp_path / "measure", stops)
    sizes = [path.stat().st_size for path in disk._files.home("a").iterdir()]
    small, _ = on_disk(kimi, tmp_path / "small", stops, sum(sizes) * 2 // 3)
    assert len(small.load("a", tokens, 0)) >= 2 * BLOCK


@torch.inference_mode()
def test_what_is_used_again_does_not_lose_its_beginning_first(kimi, tmp_path):
    disk, tokens = on_disk(kimi, tmp_path, [150, 700])
    blocks, end = disk._names("a", tokens)
    for path in disk._files.home("a").iterdir():
        os.utime(path, (1, 1))
    assert disk.load("a", tokens, 300) is not None
    times = [path.stat().st_mtime_ns for path in (*blocks, end(700))]
    assert times == sorted(times, reverse=True)
    assert times[-1] > end(150).stat().st_mtime_ns


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["row", "state"])
def test_tensors_under_other_names_are_not_believed(kimi, tmp_path, kind):
    disk, tokens = on_disk(kimi, tmp_path, [150, 2 * BLOCK + 50])
    _, end = disk._names("a", tokens)
    name = end(2 * BLOCK + 50)
    data = name.read_bytes()
    last = max(number for number in range(9) if f"{kind}.{number}".encode() in data)
    name.write_bytes(data.replace(f"{kind}.{last}".encode(), f"{kind}.9".encode()))
    assert len(disk.load("a", tokens, 0)) == 150
    assert not name.exists()


def test_what_does_not_fit_is_deleted(kimi, tmp_path):
    disk, tokens = on_disk(kimi, tmp_path, [150])
    _, end = disk._names("a", tokens)
    end(150).unlink()
    disk._files.save("a", [(end(150), lambda: {"row.0": torch.zeros(3)})])
    disk.wait()
    assert disk.load("a", tokens, 0) is None
    assert not end(150).exists()


def test_of_a_model_without_states_what_is_before_a_damaged_block_is_served(tmp_path):
    engine, _ = pair(AutoConfig.for_model("mixtral", **SMALL | OTHERS["mixtral"]))
    document = prompt(3 * BLOCK)
    read(engine.reader.model, tmp_path, document)
    disk = StateDisk(Place(tmp_path, 1 << 30, "m"), engine.reader.layout)
    tokens = tokens_of(document)
    disk._names("a", tokens)[0][1].write_bytes(b"?")
    assert len(disk.load("a", tokens, 0)) == BLOCK


def test_numbers_of_another_shape_are_not_those_of_this_model(kimi):
    layout = kimi[0].reader.layout
    cache = layout.empty()
    kimi[0].reader.model(torch.tensor([[5, 6, 7]]), past_key_values=cache, use_cache=True)
    right = layout.taken(cache, 3)
    assert layout.fits(right)
    assert not layout.fits(Stretch(right.rows, right.state, 2))
    assert not layout.fits(Stretch(right.rows, right.state[::-1], 3))
    assert not layout.fits(Stretch([row.double() for row in right.rows], right.state, 3))
    assert not layout.fits(Stretch(right.rows, right.state[1:], 3))


def test_a_scope_that_is_forgotten_leaves_no_file_and_the_budget_holds(kimi, tmp_path):
    engine, _ = kimi
    model = engine.reader.model
    read(model, tmp_path, prompt(LENGTH))
    size = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    small = started(model, tmp_path, most_bytes=size)
    ask(small, prompt(LENGTH, seed=2), 0, "b").tokens()
    small.memory._disk.wait()
    assert 0 < sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= size
    for scope in "ab":
        small.forget(scope)
    wait_for(lambda: not list(tmp_path.glob("*/*")))
    wait_for(lambda: small.is_idle)
    assert small.memory._disk.load("b", tokens_of(prompt(LENGTH, seed=2)), 0) is None


def test_a_setting_that_does_not_hold_for_a_model_is_said(kimi, caplog):
    Engine(kimi[0].reader.model, frozenset(), Limits(rounds=True))
    assert "“kimi_linear” reads is not kept in 8 bits" in caplog.text
