"""`manage.py hold MATTER --reason …`: a legal hold; `--lift` ends it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import holds, matters


class Command(BaseCommand):
    help = "Put a matter under a legal hold: nothing of it can be deleted by any path until it is lifted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("matter", help="id of the matter")
        parser.add_argument("--reason", default="", help="why")
        parser.add_argument("--lift", action="store_true", help="lift every hold of the matter")

    def handle(self, *_args: Any, **options: Any) -> None:
        matter = matters.named(options["matter"])
        if matter is None:
            raise CommandError("There is no such matter.")
        if options["lift"]:
            self.stdout.write(f"Lifted {holds.lift(matter)}.")
        elif not options["reason"]:
            raise CommandError("Give the reason of the hold.")
        else:
            holds.place(matter, options["reason"], None)
            self.stdout.write(f"“{matter.name}” is under a legal hold.")
