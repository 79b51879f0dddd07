"""`manage.py reconcile`: compare rows, stored files and index in both directions; repair or report."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.service import is_owned, running
from knowledge import queue, reconcile


class Command(BaseCommand):
    help = "Compare rows, stored files and index, repair what differs, and report what cannot be repaired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--young",
            type=float,
            default=reconcile.YOUNG_SECONDS,
            help="leave stored files younger than this alone",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if is_owned():
            if not queue.send(queue.RECONCILE):
                raise CommandError("The service runs, but its broker cannot be reached.")
            self.stdout.write("The running service reconciles now; its log says what it finds.")
            return
        with running(work=False):
            findings = reconcile.run(options["young"])
        for finding in findings:
            self.stdout.write(str(finding))
        left = sum(not finding.is_repaired for finding in findings)
        self.stdout.write(f"{len(findings)} found, {len(findings) - left} repaired, {left} to be seen to.")
