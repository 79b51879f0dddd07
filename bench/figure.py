"""One measured figure, and the table and file they are kept in."""

import json
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Figure:
    """`goal` reads "<= 150" or ">= 20"; `baseline` is what `value` is compared with in the same run."""

    name: str
    value: float
    unit: str
    goal: str = ""
    baseline: float | None = None
    ratio: float | None = None

    @property
    def met(self) -> bool | None:
        if not self.goal:
            return None
        sign, limit = self.goal.split()
        measured = self.ratio if self.ratio is not None else self.value
        return measured <= float(limit) if sign == "<=" else measured >= float(limit)


def compared(name: str, ours: list[float], plain: list[float], goal: str, *, slower: bool = False) -> Figure:
    """Medians; the ratio is how many times faster ours is, or with `slower` the share of time it takes."""
    mine, theirs = statistics.median(ours), statistics.median(plain)
    return Figure(name, mine, "s", goal, theirs, mine / theirs if slower else theirs / mine)


def table(figures: Iterable[Figure]) -> str:
    rows = [("figure", "value", "unit", "baseline", "ratio", "goal", "met")]
    rows += [
        (
            figure.name,
            f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}",
            figure.unit,
            "" if figure.baseline is None else f"{figure.baseline:,.3g}",
            "" if figure.ratio is None else f"{figure.ratio:,.3g} x",
            figure.goal,
            {None: "", True: "yes", False: "NO"}[figure.met],
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def keep(figures: Iterable[Figure], command: str) -> None:
    """One row per figure name in results.json; a new measurement replaces the old one."""
    rows = {row["name"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    stamp = {"command": command, "machine": machine(), "date": datetime.now(UTC).date().isoformat()}
    for figure in figures:
        rows[figure.name] = {**asdict(figure), "met": figure.met, **stamp}
    RESULTS.write_text(json.dumps(sorted(rows.values(), key=lambda row: row["name"]), indent=1) + "\n")


def machine() -> str:
    import os

    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
