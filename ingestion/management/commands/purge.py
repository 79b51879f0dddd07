"""`manage.py purge`: clean the disk of what was deleted, now; a running service does it every hour."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.service import is_owned
from knowledge import engines, forgetting, purge


class Command(BaseCommand):
    help = "Delete again what a restored backup brought back, and clean the disk of what was deleted."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if is_owned():
            raise CommandError("The running service owns the index; it does this every hour.")
        try:
            back = purge.bury()
            is_cleaned = purge.run()
            left = forgetting.sweep()
        finally:
            engines.close()
        cleaned = "the disk is clean" if is_cleaned else "nothing to clean"
        untold = f"; the generator is still to forget {left}" if left else ""
        self.stdout.write(f"{back} deleted again; {cleaned}{untold}.")
