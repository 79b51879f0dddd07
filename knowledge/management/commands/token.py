"""`manage.py token USER NAME`: a new token for the REST API; `--list` and `--revoke` manage them."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from knowledge.models import ApiToken


class Command(BaseCommand):
    help = "Issue an API token; it is printed once and stored only as a digest. Or list or revoke tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name of the person the token acts for")
        parser.add_argument("name", nargs="?", default="", help="what the token is for")
        parser.add_argument("--list", action="store_true", help="show this person's tokens")
        parser.add_argument("--revoke", action="store_true", help="end the tokens of this name")

    def handle(self, *_args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"No active user “{options['user']}”.")
        if options["list"]:
            self._list(user)
        elif not options["name"]:
            raise CommandError("Say what the token is for, as a name.")
        elif options["revoke"]:
            self._revoke(user, options["name"])
        else:
            self.stdout.write(ApiToken.issue(user, options["name"]))

    def _list(self, user: User) -> None:
        for token in ApiToken.objects.filter(user=user):
            used = f"last used {token.last_used:%Y-%m-%d}" if token.last_used else "never used"
            self.stdout.write(f"{token.name}: since {token.created:%Y-%m-%d}, {used}")

    def _revoke(self, user: User, name: str) -> None:
        ended, _ = ApiToken.objects.filter(user=user, name=name).delete()
        if not ended:
            raise CommandError(f"{user.username} has no token “{name}”.")
        self.stdout.write(f"Revoked {ended}.")
