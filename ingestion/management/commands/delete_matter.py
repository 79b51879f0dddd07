"""`manage.py delete_matter MATTER --yes`: remove a matter with everything in it, for good."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.management.commands.ingest import find_matter
from ingestion.service import is_owned
from knowledge import engines, matters
from knowledge.holds import Held


class Command(BaseCommand):
    help = "Delete a matter: its documents, stored files, index points, answers and memberships."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("matter", help="name or id of the matter")
        parser.add_argument("--yes", action="store_true", help="really do it")

    def handle(self, *_args: Any, **options: Any) -> None:
        matter = find_matter(options["matter"])
        count = matter.documents.count()
        if not options["yes"]:
            raise CommandError(
                f"“{matter.name}” has {count} documents. Repeat with --yes to delete it for good."
            )
        if is_owned():
            raise CommandError("Stop the running service first: it owns the index.")
        try:
            matters.delete(matter)
        except Held as error:
            raise CommandError(str(error)) from error
        finally:
            engines.close()
        self.stdout.write(f"“{matter.name}” and its {count} documents were deleted.")
