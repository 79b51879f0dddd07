"""The trie of what was read, against a plain record of it."""

import random

import pytest
import torch

from inference.generator.prefixes import Prefixes, tokens_of
from inference.generator.segment import Segment
from inference.generator.shares import IN_USE_SECONDS, Shares

CPU = torch.device("cpu")


def remembered(tokens):
    """A segment whose numbers tell its tokens and their places, as keys and values do."""
    numbers = torch.tensor([[token, place] for place, token in enumerate(tokens)], dtype=torch.float32)
    return Segment(numbers[None, None, None].expand(1, 2, 1, -1, -1).contiguous())


def told(segments):
    return [int(token) for segment in segments for token in segment.numbers[0, 0, 0, :, 0]]


def read(prefixes, scope, tokens):
    """As the engine does it: find what is known, read the rest, remember it. What was known."""
    node, shared = prefixes.find(scope, tokens_of(tokens[:-1]))
    known = told(shared)
    assert known == tokens[: len(known)]
    node = prefixes.add(
        scope, tokens_of(tokens), remembered(tokens).part(len(known), len(tokens)).copy(), node
    )
    return known, node


@pytest.fixture
def prefixes():
    return Prefixes(16 * 1000, 0, CPU)


def test_the_longest_known_beginning_is_found(prefixes):
    for tokens, known in (([1, 2, 3, 4], 0), ([1, 2, 3, 9, 9], 3), ([1, 2, 3, 9, 5], 4), ([7, 2], 0)):
        found, node = read(prefixes, "a", tokens)
        prefixes.release(node)
        assert len(found) == known


def test_one_scope_never_finds_what_another_has_read(prefixes):
    _, node = read(prefixes, "a", [1, 2, 3, 4])
    assert read(prefixes, "b", [1, 2, 3, 4])[0] == []
    prefixes.release(node)
    prefixes.forget("a")
    assert read(prefixes, "a", [1, 2, 3, 4])[0] == []


def test_what_a_sequence_stands_on_stays(prefixes):
    _, stays = read(prefixes, "a", list(range(500)))
    for start in range(1000, 9000, 100):
        _, node = read(prefixes, "a", list(range(start, start + 100)))
        prefixes.release(node)
    assert len(read(prefixes, "a", list(range(500)))[0]) == 499
    assert stays.pins > 0


@pytest.mark.parametrize("host", [0, 16 * 700])
def test_a_thousand_random_requests_stay_in_the_budget_and_nothing_leaks(host):
    """Requests run side by side, share beginnings, and end in any order."""
    chance = random.Random(5)  # noqa: S311
    prefixes = Prefixes(16 * 1000, host, CPU)
    running, served = [], 0
    for _ in range(1000):
        common = [chance.randrange(3) for _ in range(2)] + [7] * chance.choice([5, 60, 200])
        tokens = common + [chance.randrange(50) for _ in range(chance.randrange(1, 80))]
        known, node = read(prefixes, chance.choice("ab"), tokens)
        served += len(known)
        running.append(node)
        if len(running) > 4:
            prefixes.release(running.pop(chance.randrange(len(running))))
        assert prefixes.bytes[True] <= 16 * 1000
        assert prefixes.bytes[False] <= host
        assert counted(prefixes) == prefixes.bytes
        assert stored(prefixes) <= 16 * 1000 + host
        for home in (True, False):
            assert sum(prefixes._held[scope, home] for scope in "ab") == prefixes.bytes[home]
    assert served > 10_000
    for node in running:
        prefixes.release(node)
    assert prefixes.pins == 0
    prefixes.shrink()
    assert prefixes.bytes[True] == 0
    for scope in "ab":
        prefixes.forget(scope)
    assert prefixes.bytes == {True: 0, False: 0}


def test_what_leaves_the_device_is_served_from_behind_it():
    prefixes = Prefixes(16 * 100, 16 * 1000, CPU)
    for start in range(0, 800, 80):
        _, node = read(prefixes, "a", list(range(start, start + 80)))
        prefixes.release(node)
    assert prefixes.bytes == {True: 16 * 80, False: 16 * 720}
    assert len(read(prefixes, "a", list(range(80)))[0]) == 79


def test_a_part_of_a_storage_that_goes_frees_its_memory(prefixes):
    """Two nodes are views of one storage after a split; when one goes, the other gets its own."""
    for tail in ([5] * 300, [6] * 300):
        _, node = read(prefixes, "a", [1] * 300 + tail)
        prefixes.release(node)
    _, node = read(prefixes, "a", [2] * 500)
    prefixes.release(node)
    for node in prefixes._nodes():
        storage = node.segment.numbers.untyped_storage().nbytes()
        assert storage == node.bytes or len(node.kin) > 1


def test_no_scope_pushes_another_below_its_share(prefixes):
    """Of a budget for 1,000 tokens two scopes in use have 500 each, however much one of them reads."""
    mine = list(range(480))
    _, node = read(prefixes, "a", mine)
    prefixes.release(node)
    for start in range(1000, 9000, 100):
        _, node = read(prefixes, "b", list(range(start, start + 100)))
        prefixes.release(node)
    assert counted(prefixes)[True] == 16 * 980  # what the one does not hold the other may
    known, node = read(prefixes, "a", mine)
    assert known == mine[:-1]
    prefixes.release(node)
    _, node = read(prefixes, "b", list(range(9000, 9900)))  # larger than its share: not remembered
    prefixes.release(node)
    assert read(prefixes, "a", mine)[0] == mine[:-1]


def test_of_a_stretch_that_reaches_into_a_share_only_the_end_gives_way(prefixes):
    mine = list(range(600))
    _, node = read(prefixes, "a", mine)
    prefixes.release(node)
    _, node = read(prefixes, "b", list(range(1000, 1450)))
    prefixes.release(node)
    assert prefixes._held["a", True] >= 16 * 500
    assert prefixes._held["b", True] == 16 * 450
    assert read(prefixes, "a", mine)[0] == mine[: prefixes._held["a", True] // 16]


def test_what_is_beyond_a_share_gives_way_to_a_scope_below_its_own(prefixes):
    for start in range(0, 1000, 100):
        _, node = read(prefixes, "a", list(range(start, start + 100)))
        prefixes.release(node)
    for start in range(0, 1000, 100):
        _, node = read(prefixes, "b", list(range(start, start + 100)))
        prefixes.release(node)
    held = {name: prefixes._held[name, True] for name in prefixes._roots}
    assert held == {"a": 16 * 500, "b": 16 * 500}


def test_a_scope_that_nobody_uses_any_more_gives_first():
    now = [0.0]
    prefixes = Prefixes(16 * 1000, 0, CPU, Shares(lambda: now[0]))
    for scope, at in (("a", 0.0), ("b", IN_USE_SECONDS), ("c", IN_USE_SECONDS + 1)):
        now[0] = at
        for start in range(0, 1000, 100):
            _, node = read(prefixes, scope, list(range(start, start + 100)))
            prefixes.release(node)
    held = {name: prefixes._held[name, True] for name in prefixes._roots}
    assert held == {"a": 0, "b": 16 * 500, "c": 16 * 500}


def stored(prefixes):
    """The bytes of all storage that the nodes keep alive."""
    storages = {node.segment.numbers.untyped_storage().data_ptr(): node for node in prefixes._nodes()}
    return sum(node.segment.numbers.untyped_storage().nbytes() for node in storages.values())


class Full(Segment):
    """On a device without memory for a copy."""

    def part(self, start, stop):
        return Full(self.numbers[:, :, :, start:stop])

    def copy(self):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    def moved(self, device):
        raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("host", [0, 16 * 1000])
def test_what_is_given_back_takes_no_memory(host):
    """Of a storage that somebody stands on nothing goes, for nothing would be won."""
    prefixes = Prefixes(16 * 1000, host, CPU)
    whole = tokens_of([1] * 100 + [2] * 100)
    node, _ = prefixes.find("a", whole)
    node = prefixes.add("a", whole, Full(remembered(whole).numbers), node)
    other = prefixes.extend("b", whole, Full(remembered(whole).numbers))
    running, _ = prefixes.find("a", tokens_of([1] * 100 + [3]))
    prefixes.release(node)
    assert (other.bytes, running.bytes) == (16 * 200, 16 * 100)
    assert prefixes.shrink()
    assert prefixes.bytes == {True: 16 * 200, False: 0} == counted(prefixes)
    assert not prefixes.shrink()
    prefixes.release(running)
    assert prefixes.shrink()
    assert prefixes.bytes == {True: 0, False: 0} == counted(prefixes)


@pytest.mark.parametrize(("host", "kept"), [(16 * 1000, 250), (16 * 100, 100)])
def test_what_is_given_back_is_served_from_behind_the_device(host, kept):
    prefixes = Prefixes(16 * 1000, host, CPU)
    for tokens in ([1] * 100 + [2] * 100, [1] * 100 + [3] * 50):
        _, node = read(prefixes, "a", tokens)
        prefixes.release(node)
    assert prefixes.shrink()
    assert prefixes.bytes == {True: 0, False: 16 * kept} == counted(prefixes)


def counted(prefixes):
    nodes = list(prefixes._nodes())
    return {home: sum(node.bytes for node in nodes if node.is_home == home) for home in (True, False)}
