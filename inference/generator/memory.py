"""What packed sequences remember of each other: the states that stand on the trie of prefixes."""

from collections.abc import Sequence

from inference.errors import ModelMissing
from inference.generator.disk import Disk
from inference.generator.prefixes import Node, Prefixes, Tokens, tokens_of
from inference.generator.rounding import EXACT, GROUP
from inference.generator.segment import Segment, Shape, State

LEAST_ON_DISK = 32  # tokens newly read; a mere question is not worth a file


class Memory:
    def __init__(
        self,
        shape: Shape,
        most_bytes: int,
        host_bytes: int,
        disk: Disk | None = None,
        *,
        rounds: bool = False,
    ) -> None:
        """rounds: remember in 8 bits and less, which takes less than half the memory of bf16.

        Raises ModelMissing if the model's heads are too odd for it.
        """
        if rounds and shape.width % GROUP:
            raise ModelMissing(
                f"Its heads are {shape.width} wide; GENERATOR_CACHE_INT8 needs a multiple of {GROUP}."
            )
        self._shape = shape
        self._disk = disk
        self._rounds = rounds
        self.prefixes: Prefixes[Segment] = Prefixes(most_bytes, host_bytes, shape.device)

    @property
    def bytes(self) -> int:
        return sum(self.prefixes.bytes.values())

    def open(self, scope: str, ids: Sequence[int], sections: Sequence[int] = ()) -> State:  # noqa: ARG002
        """A state with what is known of the beginning; the last token is always left to feed."""
        tokens = tokens_of(ids[:-1])
        node, shared = self.prefixes.find(scope, tokens)
        shared = [segment.opened(self._shape.dtype) for segment in shared]
        known = sum(len(segment) for segment in shared)
        if self._disk is not None and (found := self._disk.load(scope, tokens, known)) is not None:
            node = self._add(scope, tokens[: known + len(found)], found, node)
            shared.append(found)
        state = State(self._shape, scope, node, shared)
        try:
            state.make_room(len(ids) - len(state))
        except BaseException:
            self.prefixes.release(node)
            raise
        return state

    def stop_at(self, state: State, at: int) -> None:
        """Nothing needs to be done there."""

    def passed(self, state: State, ids: Sequence[int]) -> None:
        """A chunk of the prompt was read."""

    def share(self, state: State, ids: Sequence[int], room: int) -> None:
        """The prompt was read: others may stand on it from now on. `room` rows for the answer follow."""
        segment = state.seal(room)
        state.node = self._add(state.scope, tokens_of(ids), segment, state.node)
        if self._disk is not None and len(segment) >= LEAST_ON_DISK:
            self._disk.save(state.scope, tokens_of(ids), state.shared)

    def close(self, state: State, tokens: Tokens) -> None:
        """Remember what else holds, and let go."""
        try:
            if state.filled:
                state.node = self._add(state.scope, tokens, state.own(), state.node)
        finally:
            self.prefixes.release(state.node)

    def forget(self, scope: str) -> None:
        self.prefixes.forget(scope)
        if self._disk is not None:
            self._disk.forget(scope)

    def shrink(self) -> bool:
        """Give back what can be given back. False: there was nothing."""
        return self.prefixes.shrink()

    def _add(self, scope: str, tokens: Tokens, segment: Segment, pinned: Node[Segment]) -> Node[Segment]:
        """As Prefixes.add. Of a prompt's beginning the first tokens are kept apart, as they are."""
        if not self._rounds:
            return self.prefixes.add(scope, tokens, segment, pinned)
        exact = min(len(segment), max(0, EXACT - (len(tokens) - len(segment))))
        # All that can run out of memory comes before the pin moves.
        first = segment.part(0, exact).copy()
        rest = segment.part(exact, len(segment)).rounded() if exact < len(segment) else None
        if exact:
            pinned = self.prefixes.add(scope, tokens[: len(tokens) - len(segment) + exact], first, pinned)
        return pinned if rest is None else self.prefixes.add(scope, tokens, rest, pinned)
