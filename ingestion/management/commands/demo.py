"""`manage.py demo`: ingest the demo case file once and answer a question about it in the terminal."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from ingestion.service import is_owned, running
from knowledge import access, answers, demo, matters, writing
from knowledge.models import Answer, Matter
from knowledge.pins import at


class Command(BaseCommand):
    help = "Set up the demo matter, and answer a question about it; does nothing when it is there already."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if Matter.objects.filter(name=demo.NAME).exists():
            return
        manager = User.objects.filter(is_superuser=True).first()
        if manager is None:
            raise CommandError("Run `manage.py setup` first: the demo matter needs a manager.")
        if is_owned():
            raise CommandError("Stop the running service first: the demo sets up its own.")
        matter = matters.create(demo.NAME, manager)
        try:
            with running():
                call_command(
                    "ingest", str(matter.pk), str(demo.FILES), stdout=self.stdout, stderr=self.stderr
                )
                self._ask(matter, manager, demo.QUESTION)
        except BaseException:  # also when it is interrupted: the next run begins again
            matters.delete(matter)
            raise

    def _ask(self, matter: Matter, person: User, question: str) -> None:
        self.stdout.write(f"\nQ: {question}\n")
        answer = answers.ask(access.scope_for(person, matter), matter, person, question)
        for event in writing.write(answer.pk, lambda: False):
            if event.kind == "problem":
                raise CommandError(event.data["reason"])
        answer.refresh_from_db()
        self._show(answer)

    def _show(self, answer: Answer) -> None:
        for sentence in answer.sentences:
            marks = "".join(f"[{number}]" for number in sentence["citations"]) or "(not verified)"
            self.stdout.write(f"A: {sentence['text']} {marks}")
        self.stdout.write(answer.reason)
        for row in answer.citations.select_related("version__document"):
            quote = " ".join(row.quote.split())
            self.stdout.write(f"[{row.number}] {row.version.document.path}, {at(row.page_label)}: “{quote}”")
