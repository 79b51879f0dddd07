"""`manage.py train_adapter FOLDER…`: learn `knowledge/adapter.npz` from question sets with known answers.

Of each set the half of the documents that is for tuning. The sets have been taken in by
`manage.py evaluate FOLDER --keep`.
"""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from ingestion.management.commands.evaluate import matter_name
from ingestion.service import is_owned, running
from knowledge import adapter, generations, names, ranking
from knowledge.evaluation import questions, training, trial
from knowledge.evaluation.metrics import Span
from knowledge.evaluation.questions import Question, QuestionSet
from knowledge.evaluation.training import Example
from knowledge.index import SPARSE, Ask, Where
from knowledge.models import Matter, Passage

WORDINGS = (questions.CHOSEN, questions.NATURAL)


class Command(BaseCommand):
    help = "Learn the adapter of question vectors from the tuning half of question sets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folders", nargs="+", type=Path)
        parser.add_argument("--out", type=Path, default=adapter.FILE)

    def handle(self, *_args: Any, **options: Any) -> None:
        if is_owned():
            raise CommandError("Stop the running service first: the training reads its index.")
        with tempfile.TemporaryDirectory() as scratch, running(work=False):
            sets = [questions.read(folder.resolve(), Path(scratch)) for folder in options["folders"]]
            examples = [example for given in sets for example in _examples(given)]
        into, out = training.fit(examples, ranking.DEFAULT.meaning)
        known = training.thinned(np.stack([example.question for example in examples]))
        np.savez(options["out"], into=into, out=out, known=known.astype(np.float16))
        self.stdout.write(f"Learned from {len(examples)} questions.")


def _examples(given: QuestionSet) -> Iterator[Example]:
    matter = Matter.objects.filter(name=matter_name(given)).first()
    if matter is None:
        raise CommandError(f"Run `manage.py evaluate {given.name} --keep` first.")
    texts = trial.Texts(matter, given)
    for question in given.questions:
        gold = texts.gold(question)
        if gold and texts.halves.get(question.file) == "tune":
            for wording in WORDINGS:
                if wording in question.texts:
                    yield _example(matter, texts, question, wording, gold)


def _example(
    matter: Matter, texts: trial.Texts, question: Question, wording: str, gold: tuple[Span, ...]
) -> Example:
    generation, document = generations.current(), texts.documents[question.file]
    rows = Passage.objects.filter(version__current_of=document, generation=generation).order_by("start")
    said = names.rest(question.texts[wording])
    where = Where(frozenset({matter.pk}), frozenset({document}))
    [hits] = generations.index(generation).ask([Ask(SPARSE, said, where, len(rows))])
    found = {hit.id: hit.score for hit in hits}
    words = np.array([found.get(row.pk, 0.0) for row in rows], np.float32)
    shares = np.array([_share(row, question.file, gold) for row in rows], np.float32)
    return Example(
        group=f"{question.dataset} {wording}",
        question=generations.embedder(generation).embed_query(said),
        passages=np.stack([np.frombuffer(bytes(row.vector or b""), np.float16) for row in rows]).astype(
            np.float32
        ),
        answers=shares / max(float(shares.sum()), 1e-9),
        words=(1 - ranking.DEFAULT.meaning) * words / max(float(words.max()), 1e-9),
    )


def _share(row: Passage, file: str, gold: tuple[Span, ...]) -> float:
    """How much of the passage is gold."""
    place = Span(file, row.start, row.end)
    return sum(place.common(span) for span in gold) / place.length
