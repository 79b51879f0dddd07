"""Trials into figures: per data set and overall (sets weighted equally), with bootstrap intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from knowledge.evaluation import metrics
from knowledge.evaluation.metrics import Span
from knowledge.evaluation.trial import Trial

KS = (1, 2, 4, 8, 16, 32, 64)
CHARACTERS = 500  # for each of the k, where results are compared at equal characters
OVERALL = "overall"
UNANSWERABLE = "without an answer"  # questions of all data sets, in a row of their own

Measure = Callable[[Trial], float]


@dataclass(frozen=True)
class Figure:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """All figures of a mode, a half and a data set, or of all sets weighted equally."""

    mode: str
    half: str
    dataset: str
    questions: int
    figures: dict[str, Figure]

    def percent(self, name: str) -> str:
        return f"{100 * self.figures[name].value:.1f}" if name in self.figures else ""


def rows(trials: Sequence[Trial], halves: Sequence[str] = ("all", "tune", "check")) -> list[Row]:
    """One row for each mode, half and data set, and one overall."""
    made: list[Row] = []
    for mode in dict.fromkeys(trial.mode for trial in trials):
        for half in halves:
            some = [trial for trial in trials if trial.mode == mode and half in ("all", trial.half)]
            made += _of_mode(mode, half, some)
    return made


def as_json(made: Iterable[Row]) -> list[dict[str, object]]:
    return [asdict(row) for row in made]


def table(made: Sequence[Row]) -> str:
    """The figures people ask for first, in percent but for time."""
    head = ("mode", "half", "data set", "n", *(name for name, _ in COLUMNS), "ms")
    body = [_cells(row) for row in made]
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in [head, *body]
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    shown = [row.percent(key) for _, key in COLUMNS]
    return (
        row.mode,
        row.half,
        row.dataset,
        str(row.questions),
        *shown,
        f"{row.figures['milliseconds'].value:.0f}",
    )


def _of_mode(mode: str, half: str, trials: Sequence[Trial]) -> list[Row]:
    sets: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.question.is_answerable:
            sets.setdefault(trial.question.dataset, []).append(trial)
    made = [_row(mode, half, name, [part]) for name, part in sets.items()]
    rest = [trial for trial in trials if not trial.question.is_answerable]
    return [
        *([_row(mode, half, UNANSWERABLE, [rest])] if rest else []),
        *made,
        *([_row(mode, half, OVERALL, list(sets.values()))] if len(made) > 1 else []),
    ]


def _row(mode: str, half: str, dataset: str, groups: Sequence[Sequence[Trial]]) -> Row:
    figures = {name: _figure(measure, groups) for name, measure in _measures(groups[0][0]).items()}
    return Row(mode, half, dataset, sum(map(len, groups)), figures)


def _measures(trial: Trial) -> dict[str, Measure]:
    """Of the trials of a row, by one of them."""
    if trial.question.grades:
        return GRADED
    return MEASURES if trial.question.is_answerable else UNANSWERED


def _figure(measure: Measure, groups: Sequence[Sequence[Trial]]) -> Figure:
    values = [[measure(trial) for trial in group] for group in groups]
    low, high = metrics.interval(values)
    return Figure(metrics.mean([metrics.mean(group) for group in values]), low, high)


def _first(measure: Callable[[Sequence[Span], Sequence[Span]], float], k: int) -> Measure:
    return lambda trial: measure(trial.found[:k], trial.gold)


def _within(measure: Callable[[Sequence[Span], Sequence[Span]], float], k: int) -> Measure:
    return lambda trial: measure(metrics.within(trial.found, k * CHARACTERS), trial.gold)


def _ndcg(trial: Trial) -> float:
    """Each result that touches gold counts 1; at best there are as many of them as gold spans."""
    grades = [float(each) for each in metrics.touching(trial.found[:10], trial.gold)]
    return metrics.ndcg(grades, [1.0] * max(len(trial.gold), int(sum(grades))), 10)


def _graded(k: int) -> Measure:
    return lambda trial: metrics.ndcg(trial.grades, list(trial.question.grades.values()), k)


def _wrong(k: int) -> Measure:
    return lambda trial: metrics.wrong_documents(trial.found[:k], trial.right_files)


def _asked_back(trial: Trial) -> float:
    return float(bool(trial.asked.offered))


def _offered(trial: Trial) -> float:
    """1 where the right document is among those to choose from."""
    return float(bool(trial.right_files.intersection(trial.asked.offered)))


def _milliseconds(trial: Trial) -> float:
    return trial.asked.milliseconds


# name → figure of one trial. “@8” is of the first 8 results, “@8x500” of the first 4,000 characters.
UNANSWERED: dict[str, Measure] = {
    **{f"wrong_document@{k}": _wrong(k) for k in KS},
    "asked_back": _asked_back,
    "offered": _offered,
    "milliseconds": _milliseconds,
}
MEASURES: dict[str, Measure] = {
    **{f"precision@{k}": _first(metrics.precision, k) for k in KS},
    **{f"recall@{k}": _first(metrics.recall, k) for k in KS},
    **{f"precision@{k}x500": _within(metrics.precision, k) for k in KS},
    **{f"recall@{k}x500": _within(metrics.recall, k) for k in KS},
    **{f"hit@{k}": _first(metrics.hit, k) for k in KS},
    "mrr": lambda trial: metrics.reciprocal_rank(trial.found, trial.gold),
    "quoted_first": lambda trial: metrics.hit(trial.asked.quoted[:1], trial.gold),
    "quoted": lambda trial: metrics.hit(trial.asked.quoted, trial.gold),
    "ndcg@10": _ndcg,
    **UNANSWERED,
}
GRADED: dict[str, Measure] = {
    "ndcg@5": _graded(5),
    "ndcg@10": _graded(10),
    "milliseconds": _milliseconds,
}
COLUMNS = (
    ("P@1", "precision@1"),
    ("R@1", "recall@1"),
    ("R@8", "recall@8"),
    ("R@64", "recall@64"),
    ("P@1x500", "precision@1x500"),
    ("R@1x500", "recall@1x500"),
    ("R@8x500", "recall@8x500"),
    ("R@64x500", "recall@64x500"),
    ("wrong@1", "wrong_document@1"),
    ("wrong@8", "wrong_document@8"),
    ("hit@8", "hit@8"),
    ("MRR", "mrr"),
    ("Q@1", "quoted_first"),
    ("Q@4", "quoted"),
    ("nDCG@5", "ndcg@5"),
    ("nDCG@10", "ndcg@10"),
    ("asked", "asked_back"),
    ("offered", "offered"),
)
