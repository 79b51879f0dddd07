"""`manage.py service_account NAME PURPOSE`: an account for a program; `manage.py token` gives it tokens."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from knowledge import service_accounts


class Command(BaseCommand):
    help = "Make an account for a program: no password, no way in by a browser, only tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="its user name")
        parser.add_argument("purpose", help="what it is for")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            made = service_accounts.create(options["name"], options["purpose"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"Made the service account “{made}”. Next: manage.py token {made} WHAT-FOR")
