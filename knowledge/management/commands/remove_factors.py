"""`manage.py remove_factors USER`: for somebody who lost their second factors."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from knowledge import factors


class Command(BaseCommand):
    help = "Remove the second factors and recovery codes of a person who lost them. Make sure who asks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")

    def handle(self, *_args: Any, **options: Any) -> None:
        person = User.objects.filter(username=options["user"]).first()
        if person is None:
            raise CommandError(f"No user “{options['user']}”.")
        self.stdout.write(f"Removed {factors.remove_all(person)}.")
