"""`manage.py explain_access USER MATTER`: why a person can or cannot see a matter."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from knowledge import matters, walls


class Command(BaseCommand):
    help = "Say whether a person can see a matter, and which memberships, groups and walls that comes from."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("matter", help="id of the matter")

    def handle(self, *_args: Any, **options: Any) -> None:
        person = User.objects.filter(username=options["user"]).first()
        matter = matters.named(options["matter"])
        if person is None or matter is None:
            raise CommandError("There is no such user." if person is None else "There is no such matter.")
        found = walls.explain(person, matter)
        self.stdout.write("\n".join([found.verdict, *(f"- {line}" for line in found.because)]))
