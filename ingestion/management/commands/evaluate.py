"""`manage.py evaluate FOLDER`: ask a question set through the whole service and say how good retrieval is.

The files are taken in through the queue, into a matter that is thrown away afterwards. docs/retrieval.md says
what is measured.
"""

import json
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from ingestion.management.commands.ingest import read_chunks
from ingestion.progress import Progress
from ingestion.service import is_owned, running
from knowledge import documents, matters, ranking, uploads
from knowledge.evaluation import plot, questions, report, trial
from knowledge.evaluation.questions import QuestionSet
from knowledge.models import Matter

ASKER = "evaluation"
# part of the ranking → the weights that leave it out
WITHOUT: dict[str, dict[str, Any]] = {
    "meaning": {"meaning": 0.0},
    "words": {"meaning": 1.0},
    "neighbours": {"neighbours": 0.0, "neighbours_behind": 0.0},
    "tail": {"neighbours_behind": ranking.DEFAULT.neighbours},
    "routing": {"is_routed": False},
    "adapter": {"is_adapted": False},
}


class Command(BaseCommand):
    help = "Measure retrieval on a question set, beside published figures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="a question set; see knowledge/evaluation/questions.py")
        parser.add_argument("--mode", action="append", help="only this way of asking (may be repeated)")
        parser.add_argument("--dataset", action="append", help="only questions of this data set")
        parser.add_argument(
            "--out", type=Path, help="write NAME.json, NAME.txt and NAME.svg into this folder"
        )
        parser.add_argument(
            "--keep", action="store_true", help="keep the matter, so that the next run is quick"
        )
        parser.add_argument(
            "--without",
            action="append",
            choices=sorted(WITHOUT),
            default=[],
            help="leave a part of the ranking out, to see what it is worth (may be repeated)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if is_owned():
            raise CommandError("Stop the running service first: the evaluation runs its own.")
        with tempfile.TemporaryDirectory(prefix="pincite-evaluation-") as scratch:
            given = self._given(options, Path(scratch))
            with running(), _matter(given, keep=options["keep"]) as matter:
                self._take_in(matter, given)
                made = self._measure(matter, given, options)
        text = report.table(made)
        self.stdout.write(text)
        if options["out"]:
            _write(options["out"], given.name, made, text)

    def _given(self, options: dict[str, Any], scratch: Path) -> QuestionSet:
        try:
            given = questions.read(options["folder"].resolve(), scratch)
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        return given.only(options["dataset"]) if options["dataset"] else given

    def _take_in(self, matter: Matter, given: QuestionSet) -> None:
        started = timezone.now()
        upload = uploads.begin(matter, None)
        for name, path in given.files.items():
            try:
                documents.add(matter, name, read_chunks(path), by=None, upload=upload)
            except documents.Rejected as error:
                self.stderr.write(f"rejected    {name}: {error}")
        Progress(self.stdout, matter, Q(versions__created__gte=started)).watch()

    def _measure(self, matter: Matter, given: QuestionSet, options: dict[str, Any]) -> list[report.Row]:
        left_out = {name: value for part in options["without"] for name, value in WITHOUT[part].items()}
        texts = trial.Texts(matter, given)
        ask = trial.Asker(_asker(), matter, texts, replace(ranking.DEFAULT, **left_out))
        ask("What is this about?", "")  # loads the model
        modes = options["mode"] or given.modes
        trials = [each for mode in modes for each in trial.trials(texts, given, mode, ask)]
        self.stdout.write(f"The gold of {texts.lost(given)} questions was not found in what was read.")
        return report.rows(trials)


@contextmanager
def _matter(given: QuestionSet, *, keep: bool) -> Iterator[Matter]:
    name = matter_name(given)
    matter = Matter.objects.filter(name=name).first() or matters.create(name, _asker())
    try:
        yield matter
    finally:
        if not keep:
            matters.delete(matter)


def matter_name(given: QuestionSet) -> str:
    return f"Evaluation: {given.name}"


def _asker() -> User:
    """A person who can sign in nowhere: without a password."""
    return User.objects.get_or_create(username=ASKER)[0]


def _write(folder: Path, name: str, made: list[report.Row], text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report.as_json(made), indent=1) + "\n")
    (folder / f"{name}.txt").write_text(text + "\n")
    (folder / f"{name}.svg").write_text(plot.svg(f"Recall of the gold characters, {name}", made))
