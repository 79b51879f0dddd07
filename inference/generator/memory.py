"""What packed sequences remember of each other: the states that stand on the trie of prefixes."""

from collections.abc import Sequence

from inference.generator.prefixes import Prefixes, Tokens, tokens_of
from inference.generator.segment import Shape, State


class Memory:
    def __init__(self, shape: Shape, most_bytes: int, host_bytes: int) -> None:
        self._shape = shape
        self.prefixes = Prefixes(most_bytes, host_bytes, shape.device)

    @property
    def bytes(self) -> int:
        return sum(self.prefixes.bytes.values())

    def open(self, scope: str, ids: Sequence[int]) -> State:
        """A state with what is known of the beginning; the last token is always left to feed."""
        node, shared = self.prefixes.find(scope, tokens_of(ids[:-1]))
        state = State(self._shape, scope, node, shared)
        try:
            state.make_room(len(ids) - len(state))
        except BaseException:
            self.prefixes.release(node)
            raise
        return state

    def passed(self, state: State, ids: Sequence[int]) -> None:
        """A chunk of the prompt was read."""

    def share(self, state: State, ids: Sequence[int], room: int) -> None:
        """The prompt was read: others may stand on it from now on. `room` rows for the answer follow."""
        segment = state.seal(room)
        state.node = self.prefixes.add(state.scope, tokens_of(ids), segment, state.node)

    def close(self, state: State, tokens: Tokens) -> None:
        """Remember what else holds, and let go."""
        if state.filled:
            state.node = self.prefixes.add(state.scope, tokens, state.own(), state.node)
        self.prefixes.release(state.node)

    def forget(self, scope: str) -> None:
        self.prefixes.forget(scope)

    def shrink(self) -> bool:
        """Give back what can be given back. False: there was nothing."""
        return self.prefixes.shrink()
