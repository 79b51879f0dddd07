"""`manage.py warm USER MATTER`: read a matter's main documents ahead, as this person would have them read."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from knowledge import access, warming


class Command(BaseCommand):
    help = "Queue jobs in which the generator reads the main documents of a matter before anybody asks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name of a member of the matter")
        parser.add_argument("matter", help="its name")

    def handle(self, *_args: Any, **options: Any) -> None:
        person = User.objects.filter(username=options["user"], is_active=True).first()
        found = list(access.matters_of(person).filter(name=options["matter"])[:2]) if person else []
        if person is None or len(found) != 1:
            raise CommandError(f"No one matter “{options['matter']}” of an active user “{options['user']}”.")
        jobs = warming.queue_matter(found[0], person)
        self.stdout.write(f"{len(jobs)} documents will be read ahead.")
