"""Text like a contract's, as much as is wanted."""

import random


def clauses(count: int, seed: int) -> str:
    """At least so many tokens of text like a contract's."""
    chance = random.Random(seed)  # noqa: S311
    words = (
        "party notice delivery payment breach remedy supplier buyer liability damages warranty insurance "
        "court evidence schedule annex default inspection equipment consent assign waiver interest vessel"
    ).split()
    said = [
        f"{n}. The {chance.choice(words)} of the {chance.choice(words)} shall not exceed "
        f"{chance.randrange(9999)} euros unless the {chance.choice(words)} is given "
        f"{chance.randrange(90)} days before the {chance.choice(words)} under section {chance.randrange(40)}."
        for n in range(count // 20 + 1)
    ]
    return "\n".join(said)
