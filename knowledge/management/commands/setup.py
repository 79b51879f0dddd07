"""`manage.py setup`: make the data directory ready: tables, and a superuser if there is none."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand

from knowledge import env


class Command(BaseCommand):
    help = "Apply migrations and create the first superuser; safe to run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="admin", help="user name of the superuser")

    def handle(self, *_args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        if User.objects.filter(is_superuser=True).exists():
            return
        given = env.text("PINCITE_ADMIN_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        User.objects.create_superuser(options["name"], password=password)
        shown = "the one from PINCITE_ADMIN_PASSWORD" if given else f"{password}  (shown this once)"
        self.stdout.write(f"Sign in as “{options['name']}”; password: {shown}")
