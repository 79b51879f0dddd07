"""What has been read, remembered by its tokens: a trie whose nodes hold the keys and values of a stretch.

One root for each scope, so that nothing of one scope is found from another. Two tiers with a byte budget
each: the device, and the machine's memory behind it. Of the scope that gives way (`shares`) what was used
longest ago goes first; what a running sequence stands on stays. Only the engine's thread touches it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from inference.generator.shares import Shares

Tokens = NDArray[np.int32]
NO_CRUMB = 8  # of a node that gives way in part, at least so small a part of it


class Piece(Protocol):
    """What is kept of a stretch of tokens; never changed once made."""

    def __len__(self) -> int:
        """Tokens."""

    @property
    def bytes(self) -> int: ...

    def part(self, start: int, stop: int) -> Self:
        """Of some of its tokens: a view."""

    def copy(self) -> Self:
        """With memory of its own."""

    def moved(self, device: torch.device) -> Self:
        """A copy there; from CUDA to the machine's memory, in pages that are not swapped out."""


P = TypeVar("P", bound=Piece)


class Node(Generic[P]):
    """A stretch of tokens behind its parent's."""

    def __init__(self, tokens: Tokens, segment: P | None, parent: "Node[P] | None", scope: str) -> None:
        self.tokens = tokens
        self.scope = scope
        self.segment = segment  # None only for a root
        self.parent = parent
        self.children: dict[int, Node[P]] = {}
        self.pins = 0  # sequences that stand on it; what is above it is kept by having a child
        self.used = 0
        self.begun = 0  # when a sequence last went on from its end
        self.is_home = True  # on the device, not in the memory behind it
        self.kin = {self}  # nodes whose segments are views of the same storage

    @property
    def bytes(self) -> int:
        return self.segment.bytes if self.segment else 0


class Prefixes(Generic[P]):
    def __init__(
        self, most_bytes: int, host_bytes: int, device: torch.device, shares: Shares | None = None
    ) -> None:
        self._most = {True: most_bytes, False: host_bytes}
        self.bytes = {True: 0, False: 0}  # on the device, behind it
        self._device = device
        self._held: Counter[tuple[str, bool]] = Counter()  # the same by scope
        self._roots: dict[str, Node[P]] = {}
        self._clock = 0
        self._shares = shares or Shares()

    def find(self, scope: str, tokens: Tokens) -> tuple[Node[P], list[P]]:
        """The node where the longest known beginning of `tokens` ends, pinned, and the segments up to it."""
        self._shares.use(scope)
        node = self._walk(scope, tokens, split=True)
        node.pins += 1
        path = self._path(node)
        reached = self._roots[scope]
        try:
            for step in path:
                if not self._bring_home(scope, step):
                    break
                reached = step
        finally:  # also where the device has no memory for it
            node.pins -= 1
        reached.pins += 1
        kept = path[: path.index(reached) + 1] if reached in path else []
        return reached, [step.segment for step in kept if step.segment is not None]

    def add(self, scope: str, tokens: Tokens, segment: P, pinned: Node[P]) -> Node[P]:
        """Remember the end of `tokens`, which `segment` holds; the pin moves to the node that ends there.

        Where there is no room the pin stays and nothing is remembered.
        """
        child = self.extend(scope, tokens, segment)
        if child is None:
            return pinned
        pinned.pins -= 1
        child.pins += 1
        return child

    def extend(self, scope: str, tokens: Tokens, segment: P) -> Node[P] | None:
        """A node for what is missing at the end of `tokens`; None where nothing is, or there is no room."""
        node = self._walk(scope, tokens, split=True)
        missing = len(tokens) - self._depth(node)
        if not 0 < missing <= len(segment):
            return None
        part = segment if missing == len(segment) else segment.part(len(segment) - missing, len(segment))
        if not self._make_room(scope, part.bytes, is_home=True, beside=node):
            return None
        own = part if part is segment else part.copy()
        child = Node(tokens[len(tokens) - missing :], own, node, scope)
        node.children[int(child.tokens[0])] = child
        self._count(child, child.bytes, is_home=True)
        self._use(child)
        return child

    def release(self, node: Node[P]) -> None:
        node.pins -= 1

    def forget(self, scope: str) -> None:
        """What running sequences stand on goes with them."""
        self._shares.forget(scope)
        root = self._roots.pop(scope, None)
        for node in [] if root is None else list(self._below(root)):
            self._count(node, -node.bytes, is_home=node.is_home)
            node.kin = {node}

    def shrink(self) -> bool:
        """Give back what can be given back, without memory to copy with. False: there was nothing."""
        stays, gave = self._staying(), False
        for scope, root in self._roots.items():
            going = [node for node in self._below(root) if node.is_home and node not in stays][::-1]
            for node in sorted(going, key=lambda n: n.used):  # what is below another comes first
                if node.parent is None or node.parent.children.get(int(node.tokens[0])) is not node:
                    continue  # it went with another
                size, node.kin, gave = node.bytes, {node}, True
                with suppress(RuntimeError):  # of a view a copy is made on the device, on its way
                    if self._make_room(scope, size, is_home=False, beside=node):
                        self._move(node, is_home=False)
                if node.is_home:
                    Prefixes._remove(self, node)
                self._count(node, -size, is_home=True)
        return gave

    def _staying(self) -> set[Node[P]]:
        """What sequences stand on, with what that hangs on and views of the same storages."""
        stays, more = set[Node[P]](), {node for node in self._nodes() if node.pins}
        while more:
            stays |= more
            more = {other for node in more for other in (*self._above(node), *node.kin)} - stays
        return stays

    @property
    def pins(self) -> int:
        return sum(node.pins for root in self._roots.values() for node in (root, *self._below(root)))

    def _walk(self, scope: str, tokens: Tokens, *, split: bool) -> Node[P]:
        node, at = self._roots.setdefault(scope, Node(tokens[:0], None, None, scope)), 0
        while at < len(tokens):
            child = node.children.get(int(tokens[at]))
            if child is None:
                break
            same = common(child.tokens, tokens[at:])
            if same < len(child.tokens):
                node = self._split(child, same) if split else node
                break
            node, at = child, at + same
        self._use(node)
        return node

    def _split(self, node: Node[P], at: int) -> Node[P]:
        """A new node takes the first `at` tokens and becomes the parent. Nothing is copied."""
        assert node.segment is not None and node.parent is not None  # noqa: S101  only a root has neither
        before = node.bytes
        upper = Node(node.tokens[:at], node.segment.part(0, at), node.parent, node.scope)
        node.segment = node.segment.part(at, len(node.segment))
        self._count(node, upper.bytes + node.bytes - before, is_home=node.is_home)  # a scale counts for both
        node.tokens = node.tokens[at:]
        upper.parent.children[int(upper.tokens[0])] = upper  # type: ignore[union-attr]  # just given
        upper.children[int(node.tokens[0])] = node
        upper.is_home, upper.used, node.parent = node.is_home, node.used, upper
        node.kin.add(upper)
        upper.kin = node.kin
        return upper

    def _use(self, node: Node[P]) -> None:
        self._clock += 1
        for step in (node, *self._above(node)):
            step.used = self._clock

    def _make_room(self, scope: str, needed: int, *, is_home: bool, beside: Node[P] | None = None) -> bool:
        """beside: a node that stays meanwhile."""
        if beside is not None:
            beside.pins += 1
        try:
            while (short := self.bytes[is_home] + needed - self._most[is_home]) > 0:
                if needed > self._most[is_home] or not self._give_way(scope, needed, short, is_home=is_home):
                    return False
            return True
        finally:
            if beside is not None:
                beside.pins -= 1

    def _give_way(self, scope: str, needed: int, short: int, *, is_home: bool) -> bool:
        held = {name: self._held[name, is_home] for name in self._roots}
        for giver, most in self._shares.givers(scope, needed, held, self._most[is_home]):
            bound = None if giver == scope else most
            if self._evict(giver, min(short, most), is_home=is_home, most=bound):
                return True
        return False

    def _evict(self, scope: str, wanted: int, *, is_home: bool, most: int | None = None) -> bool:
        """Of a scope what was used longest ago, of at least so many bytes if there is as much.

        Nodes that nothing stands on, with nothing below on their tier; of one larger than `most` bytes only
        its end. False: there is nothing.
        """
        free = [n for n in self._below(self._roots[scope]) if n.is_home == is_home and self._is_free(n)]
        gave = 0
        for node in sorted(free, key=lambda n: n.used):
            if gave >= wanted:
                break
            gave += self._let_go(node if most is None else self._end(node, wanted - gave, most - gave))
        return gave > 0

    def _end(self, node: Node[P], wanted: int, most: int) -> Node[P]:
        """Of a node larger than `most` bytes only the end, and no crumb of it, for the rest is copied."""
        if node.bytes <= most:
            return node
        size = min(most, max(wanted, node.bytes // NO_CRUMB))
        kept = len(node.tokens) - max(1, size * len(node.tokens) // node.bytes)
        if kept > 0:
            self._split(node, kept)
        return node

    def _let_go(self, node: Node[P]) -> int:
        """To the memory behind the device, or for good. The bytes that its tier has gained."""
        self._part_from_kin(node)
        size, is_home = node.bytes, node.is_home
        if is_home and self._make_room(node.scope, size, is_home=False, beside=node):
            self._move(node, is_home=False)
            self._count(node, -size, is_home=is_home)
        else:
            self._count(node, -size, is_home=is_home)  # first: copies of its kin may find no memory
            self._remove(node)
        return size

    def _count(self, node: Node[P], more: int, *, is_home: bool) -> None:
        self.bytes[is_home] += more
        self._held[node.scope, is_home] += more

    def _is_free(self, node: Node[P]) -> bool:
        """Nothing stands on it. On the device its children may be behind it; else it must be a leaf."""
        if node.pins:
            return False
        if node.is_home and self._most[False]:
            return not any(child.is_home or child.pins for child in node.children.values())
        return not node.children

    def _remove(self, node: Node[P]) -> None:
        for below in list(self._below(node)):
            self._part_from_kin(below)
            self._count(below, -below.bytes, is_home=below.is_home)
        if node.parent is not None:
            node.parent.children.pop(int(node.tokens[0]), None)

    def _bring_home(self, scope: str, node: Node[P]) -> bool:
        if node.is_home:
            return True
        if not self._make_room(scope, node.bytes, is_home=True, beside=node):
            return False
        self._part_from_kin(node)
        self._move(node, is_home=True)
        self._count(node, -node.bytes, is_home=False)
        return True

    def _move(self, node: Node[P], *, is_home: bool) -> None:
        """Counted where it goes; the caller counts it off."""
        assert node.segment is not None  # noqa: S101  a root is never moved
        node.segment = node.segment.moved(self._device if is_home else torch.device("cpu"))
        node.is_home = is_home
        self._count(node, node.bytes, is_home=is_home)

    def _part_from_kin(self, node: Node[P]) -> None:
        """Its storage is freed only when no other node is a view of it."""
        for other in node.kin - {node}:
            if other.segment is not None:
                other.segment = other.segment.copy()
            other.kin = {other}
        node.kin = {node}

    def _nodes(self) -> Iterator[Node[P]]:
        for root in self._roots.values():
            yield from self._below(root)

    def _below(self, node: Node[P]) -> Iterator[Node[P]]:
        open_nodes = list(node.children.values())
        while open_nodes:
            below = open_nodes.pop()
            open_nodes += below.children.values()
            yield below

    def _above(self, node: Node[P]) -> Iterator[Node[P]]:
        while node.parent is not None:
            node = node.parent
            yield node

    def _path(self, node: Node[P]) -> list[Node[P]]:
        """From below the root to this node."""
        steps = [node, *self._above(node)]
        return steps[-2::-1]

    def _depth(self, node: Node[P]) -> int:
        return sum(len(step.tokens) for step in self._path(node))


def common(one: Tokens, other: Tokens) -> int:
    """How many tokens at the beginning are the same."""
    least = min(len(one), len(other))
    different = np.flatnonzero(one[:least] != other[:least])
    return int(different[0]) if len(different) else least


def tokens_of(ids: Sequence[int]) -> Tokens:
    return np.asarray(ids, dtype=np.int32)
