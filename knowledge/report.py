"""The report of research: every line is a quote with its pin, or is visibly marked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from knowledge import dates
from knowledge.models import Finding, Run
from knowledge.subquestions import Plan, Shape

GAP = "nothing was found for this"
DELETED = "its source has been deleted"
UNVERIFIED = "not found word for word in the sources"


@dataclass(frozen=True)
class Line:
    """As the page shows it: a quote, or a text with the reason why it is marked."""

    text: str
    label: str
    finding: Finding | None
    flag: str

    @property
    def is_verified(self) -> bool:
        return not self.flag


@dataclass(frozen=True)
class Section:
    heading: str
    lines: list[Line]


def shown(run: Run) -> list[Section]:
    """The stored report; a quote whose document was deleted since is told, not shown."""
    rows = run.findings.filter(verdict=None).select_related("version__document")
    found = {row.number: row for row in rows}
    return [Section(part["heading"], [_line(line, found) for line in part["lines"]]) for part in run.report]


def findings(sections: Iterable[Section]) -> list[Finding]:
    return [line.finding for section in sections for line in section.lines if line.finding]


def compose(plan: Plan, found: Sequence[tuple[int, Finding]], gaps: Iterable[int]) -> list[dict[str, Any]]:
    """`found` are findings with the place of the sub-question that they answer; `gaps` such places."""
    sections = _by_date(found) if plan.shape == Shape.CHRONOLOGY else _by_heading(plan, found)
    missing = [{"text": plan.parts[place].label, "flag": GAP} for place in gaps]
    return [*sections, *([{"heading": "Not found", "lines": missing}] if missing else [])]


def written(sentences: Sequence[tuple[str, int | None]]) -> dict[str, Any]:
    """What the generator wrote: each sentence with the number of the finding that carries it, or marked."""
    lines = [
        {"text": text, "finding": number} if number else {"text": text, "flag": UNVERIFIED}
        for text, number in sentences
    ]
    return {"heading": "In short (machine-written)", "lines": lines}


def _by_date(found: Sequence[tuple[int, Finding]]) -> list[dict[str, Any]]:
    dated = [(said, row) for _, row in found if (said := dates.first(row.quote))]
    dated.sort(key=lambda each: (each[0][0], each[1].number))
    lines = [{"finding": row.number, "label": _day(said[0])} for said, row in dated]
    rest = [{"finding": row.number} for _, row in found if dates.first(row.quote) is None]
    sections = [{"heading": "In order of time", "lines": lines}] if lines else []
    return [*sections, *([{"heading": "Without a date", "lines": rest}] if rest else [])]


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _by_heading(plan: Plan, found: Sequence[tuple[int, Finding]]) -> list[dict[str, Any]]:
    sections: dict[str, list[dict[str, Any]]] = {}
    for place, row in found:
        heading = row.version.document.path if plan.shape == Shape.LIST else plan.parts[place].label
        sections.setdefault(heading, []).append({"finding": row.number})
    return [{"heading": heading, "lines": lines} for heading, lines in sections.items()]


def _line(line: dict[str, Any], found: dict[int, Finding]) -> Line:
    number, flag = line.get("finding"), line.get("flag", "")
    if number is not None and number not in found:
        flag = DELETED
    return Line(line.get("text", ""), line.get("label", ""), found.get(number or 0), flag)
