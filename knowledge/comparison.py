"""The table of research: a row for each document, a column for each question, quotes in the cells."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.models import Finding, Run
from knowledge.pins import at
from knowledge.sheets import plain
from knowledge.subquestions import Part, Plan


@dataclass(frozen=True)
class Row:
    document: str  # its path
    cells: list[list[Finding]]  # of each column; empty where nothing was found


@dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: list[Row]

    @property
    def compares(self) -> bool:
        """Whether there is something to hold side by side."""
        return len(self.rows) > 1


def table(run: Run) -> Table:
    """What has been found so far, without what was deleted since."""
    made = run.steps.filter(kind="plan").first()
    if made is None:
        return Table([], [])
    parts = Plan.of(made.data["plan"]).parts
    columns = list(dict.fromkeys(map(_column, parts)))
    rows: dict[str, list[list[Finding]]] = {}
    for place, finding in _found(run):
        empty: list[list[Finding]] = [[] for _ in columns]
        cells = rows.setdefault(finding.version.document.path, empty)
        cells[columns.index(_column(parts[place]))].append(finding)
    return Table(columns, [Row(path, rows[path]) for path in sorted(rows)])


def as_csv(run: Run) -> str:
    """The quotes of a cell stand one below the other, each with its place."""
    made = table(run)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(map(plain, ["document", *made.columns]))
    for row in made.rows:
        writer.writerow(map(plain, [row.document, *map(_cell, row.cells)]))
    return buffer.getvalue()


def _found(run: Run) -> Iterator[tuple[int, Finding]]:
    """Each finding with the place of its sub-question."""
    rows = {row.number: row for row in run.findings.filter(verdict=None).select_related("version__document")}
    for step in run.steps.filter(kind="finding"):
        yield from ((step.data["place"], rows[n]) for n in step.data["findings"] if n in rows)


def _column(part: Part) -> str:
    """Where a sub-question is put to one document, the column is what it asks, for all documents."""
    return part.query if part.document else part.label


def _cell(found: list[Finding]) -> str:
    return "\n".join(f"{row.quote} [{at(row.page_label)}]" for row in found)
