"""Whose memory gives way when a budget is full: no matter's reading costs another its fair share.

Between scopes that are in use the fullest gives, and none below its share of the budget is touched for the
sake of another (max-min fairness); so what one team reads can be felt by another only in what it holds beyond
its share. A scope that nobody has used for a while gives first.
"""

import time
from collections.abc import Callable, Mapping

IN_USE_SECONDS = 900.0


class Shares:
    def __init__(self, now: Callable[[], float] = time.monotonic, used: Mapping[str, float] = {}) -> None:
        """used: when each scope was used last, in seconds of this clock."""
        self._now = now
        self._used = dict(used)

    def use(self, scope: str) -> None:
        self._used[scope] = self._now()

    def forget(self, scope: str) -> None:
        self._used.pop(scope, None)

    def givers(self, scope: str, needed: int, held: Mapping[str, int], budget: int) -> list[tuple[str, int]]:
        """Scopes that may give way for `needed` bytes of `scope`, the first first, and how many bytes each.

        held: the bytes that each has.
        """
        since = self._now() - IN_USE_SECONDS
        idle = sorted(
            (name for name in held if name != scope and self._used.get(name, since) <= since),
            key=lambda name: self._used.get(name, since),
        )
        wanted = {name: size for name, size in held.items() if size and name not in idle}
        wanted[scope] = held.get(scope, 0) + needed
        share = budget / len(wanted)
        full = [name for name, size in wanted.items() if size > share or name == scope]
        order = [*idle, *sorted(full, key=lambda name: -wanted[name])]
        spare = {name: int(held[name] - share) for name in full if name != scope}
        return [(name, spare.get(name, held.get(name, 0))) for name in order]
