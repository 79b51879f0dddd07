"""What sequences of the library's cache remember of each other.

A recurrent state cannot be cut back to fewer tokens, so a sequence can only go on from where the state was
kept: at the stops of a prompt, at its end, and where an answer ended. Keys and values stand on a trie, each
once; a state takes the same memory wherever it stands.
"""

from collections.abc import Sequence

import torch

from inference.generator.layout import Layout, Stretch
from inference.generator.memory import LEAST_ON_DISK
from inference.generator.plain import PlainState
from inference.generator.prefixes import Node, Prefixes, Tokens, tokens_of
from inference.generator.states import StateDisk
from inference.generator.stops import APART, LEAST, stops

MOST_STOPS = 16  # at sections of one prompt, and as many between them
FEWEST_STOPS = 2
SHARE = 4  # one prompt's states may take a fourth of the memory


class Tree(Prefixes[Stretch]):
    """A trie on which sequences begin only where a stretch ends with a state."""

    def begin(self, scope: str, tokens: Tokens) -> tuple[Node[Stretch], list[Stretch], int]:
        """As find(), but back to the last state; and how many of the tokens are known."""
        node, stretches = self.find(scope, tokens)
        known = sum(len(stretch) for stretch in stretches)
        while stretches and stretches[-1].state is None and node.parent is not None:
            stretches.pop()
            node.pins -= 1
            node = node.parent
            node.pins += 1
        node.begun = self._clock
        return node, stretches, known

    def holds(self, scope: str, tokens: Tokens) -> bool:
        """Whether a sequence can go on from the end of these."""
        node = self._walk(scope, tokens, split=False)
        is_whole = self._depth(node) == len(tokens)
        return is_whole and node.segment is not None and node.segment.state is not None

    def along(self, scope: str, tokens: Tokens) -> list[Stretch]:
        """What is known of these, to the last end from which a sequence can go on."""
        node = self._walk(scope, tokens, split=False)
        stretches = [step.segment for step in self._path(node) if step.segment is not None]
        while stretches and stretches[-1].state is None:
            stretches.pop()
        return stretches

    def keep(self, scope: str, tokens: Tokens, whole: Stretch) -> None:
        """whole: of the tokens' end at least, with the state behind them."""
        node = self.extend(scope, tokens, whole) or self._walk(scope, tokens, split=True)
        if self._depth(node) == len(tokens) and node.segment is not None:
            node.begun = self._clock
            if node.segment.state is None:
                self._complete(scope, node, whole)

    def _complete(self, scope: str, node: Node[Stretch], whole: Stretch) -> None:
        """Its tokens were known, not how the model stood behind them."""
        assert node.segment is not None  # noqa: S101  keep() has looked
        more = node.segment.ending(whole.state).bytes - node.bytes
        if node.is_home and self._make_room(scope, more, is_home=True, beside=node):
            node.segment = node.segment.ending(whole.state)  # making room may have given it its own storage
            self._count(node, more, is_home=True)

    def _evict(self, scope: str, wanted: int, *, is_home: bool, most: int | None = None) -> bool:  # noqa: ARG002
        """A state in the midst of the trie, if that was gone on from longer ago than any leaf was used.

        Where there is memory behind the device, states go there with their stretches. Stretches go whole: the
        beginning of one has no state behind it.
        """
        if is_home and self._most[False]:
            return super()._evict(scope, wanted, is_home=is_home)
        nodes = [node for node in self._below(self._roots[scope]) if node.is_home == is_home]
        spare = min(filter(_is_spare, nodes), key=lambda node: node.begun, default=None)
        leaves = [node.used for node in nodes if self._is_free(node)]
        if spare is None or (leaves and min(leaves) < spare.begun):
            return super()._evict(scope, min(wanted, 1), is_home=is_home)
        before = spare.bytes
        spare.segment = spare.segment and spare.segment.ending(None)
        self._count(spare, spare.bytes - before, is_home=is_home)
        return True

    def _remove(self, node: Node[Stretch]) -> None:
        """With what is above it and leads nowhere now."""
        super()._remove(node)
        above = node.parent
        if above is None or above.segment is None or above.children or above.pins:
            return
        if above.segment.state is None:
            self._part_from_kin(above)
            self._count(above, -above.bytes, is_home=above.is_home)
            self._remove(above)


def _is_spare(node: Node[Stretch]) -> bool:
    """Its state can be let go by itself: others stand behind it."""
    return bool(node.segment and node.segment.state and node.children and not node.pins)


class Snapshots:
    def __init__(
        self, layout: Layout, most_bytes: int, host_bytes: int, chunk: int, disk: StateDisk | None = None
    ) -> None:
        """chunk: tokens of a prompt in one step; states are not kept closer than that without a reason."""
        self._layout = layout
        self._disk = disk
        self.prefixes = Tree(most_bytes, host_bytes, layout.device)
        # A state takes as much as so many tokens; where these take nothing only their number counts.
        cost = layout.state_bytes // layout.row_bytes if layout.row_bytes else 0
        self._interval = chunk * max(1, -(-cost // chunk))
        fitting = most_bytes // SHARE // max(1, layout.state_bytes)
        self._most = min(MOST_STOPS, max(FEWEST_STOPS, fitting))

    @property
    def bytes(self) -> int:
        return sum(self.prefixes.bytes.values())

    @property
    def has_states(self) -> bool:
        """Without any a sequence can go on from anywhere."""
        return self._layout.state_bytes > 0

    def open(self, scope: str, ids: Sequence[int], sections: Sequence[int] = ()) -> PlainState:
        """From the last state that is known of the beginning; the last token is always left to feed."""
        tokens = tokens_of(ids[:-1])
        node, stretches, shared = self.prefixes.begin(scope, tokens)
        try:
            stretches += self._from_disk(scope, tokens, sum(len(stretch) for stretch in stretches))
            cache = self._layout.cache(stretches)
        finally:
            self.prefixes.release(node)
        known = sum(len(stretch) for stretch in stretches)
        return PlainState(scope, cache, known, self._stops(known, len(ids), sections, shared))

    def _from_disk(self, scope: str, tokens: Tokens, known: int) -> list[Stretch]:
        found = self._disk.load(scope, tokens, known) if self._disk else None
        if found is None:
            return []
        self.prefixes.keep(scope, tokens[: known + len(found)], found)
        return [found]

    def _stops(self, known: int, end: int, sections: Sequence[int], shared: int) -> list[int]:
        if not self.has_states:
            return [end]
        # The same prompt, asked again, needs a state before its last token; a short one is not worth a step.
        last = end if end in sections or end - known < APART else end - 1
        return stops(known, last, sections, shared, self._interval, self._most)

    def stop_at(self, state: PlainState, at: int) -> None:
        """Another prompt, which waits for this one, goes on otherwise behind so many tokens."""
        is_near = any(at - LEAST < stop <= at for stop in state.stops)
        if self.has_states and at > len(state) and not is_near:
            state.stops = sorted([*state.stops, at])

    def passed(self, state: PlainState, ids: Sequence[int]) -> None:
        """A chunk of the prompt was read."""
        if len(state) in state.stops:
            self._keep(state, tokens_of(ids[: len(state)]))

    def share(self, state: PlainState, ids: Sequence[int], room: int) -> None:  # noqa: ARG002
        """The prompt was read, and kept by passed()."""
        if self._disk is not None and len(ids) - state.known >= LEAST_ON_DISK:
            tokens = tokens_of(ids)
            self._disk.save(state.scope, tokens, self.prefixes.along(state.scope, tokens))

    def close(self, state: PlainState, tokens: Tokens) -> None:
        """A conversation goes on from here."""
        self._keep(state, tokens)

    def forget(self, scope: str) -> None:
        self.prefixes.forget(scope)
        if self._disk is not None:
            self._disk.forget(scope)

    def shrink(self) -> bool:
        return self.prefixes.shrink()

    @torch.inference_mode()
    def _keep(self, state: PlainState, tokens: Tokens) -> None:
        if len(tokens) and len(tokens) == len(state) and not self.prefixes.holds(state.scope, tokens):
            self.prefixes.keep(state.scope, tokens, self._layout.taken(state.cache, len(state)))


class Forgetful:
    """For a model whose cache has layers of a kind that is not known here: each prompt is read anew."""

    bytes = 0

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def open(self, scope: str, ids: Sequence[int], sections: Sequence[int] = ()) -> PlainState:  # noqa: ARG002
        return PlainState(scope, self._layout.empty(), 0)

    def stop_at(self, state: PlainState, at: int) -> None: ...

    def passed(self, state: PlainState, ids: Sequence[int]) -> None: ...

    def share(self, state: PlainState, ids: Sequence[int], room: int) -> None: ...

    def close(self, state: PlainState, tokens: Tokens) -> None: ...

    def forget(self, scope: str) -> None: ...

    def shrink(self) -> bool:
        return False
