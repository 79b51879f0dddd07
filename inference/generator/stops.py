"""Where a prompt's reading stops for a copy of the model's state, which cannot be cut back to fewer tokens.

Where earlier prompts of the scope were seen to go on otherwise; where its text has sections, of which another
prompt may share the first few; where it ends; and now and then in a long stretch without any of these.
"""

from collections.abc import Sequence
from itertools import pairwise

LEAST = 16  # tokens: fewer are sooner read again than remembered
APART = 64  # tokens from one section to the next that is worth a copy


def stops(known: int, end: int, sections: Sequence[int], branch: int, interval: int, most: int) -> list[int]:
    """Numbers of tokens, in order, each more than `known` and at most `end`.

    branch: so many tokens are shared with earlier prompts. interval: at most so many tokens between two.
    most: so many at sections, and as many between them.
    """
    exact = [at for at in (branch, end) if at >= known + LEAST]
    if end - branch < LEAST and branch in exact:
        exact = [branch]
    chosen = sorted({*exact, *_chosen(known, end, sections, exact, most)})
    interval = max(interval, -(-(end - known) // most))
    between = [
        at
        for before, after in pairwise([known, *chosen])
        for at in range(before - before % interval + interval, after, interval)
        if at - before >= APART and after - at >= APART
    ]
    return sorted([*chosen, *between])


def _chosen(known: int, end: int, sections: Sequence[int], exact: Sequence[int], most: int) -> list[int]:
    """Sections far enough from each other; where they are too many some, evenly, and the last."""
    apart: list[int] = []
    for at in sorted(set(sections), reverse=True):
        is_free = all(abs(at - other) >= LEAST for other in exact)
        if known + LEAST <= at <= end and is_free and (not apart or apart[-1] - at >= APART):
            apart.append(at)
    return apart[:: max(1, -(-len(apart) // most))]
