"""`manage.py token USER NAME`: a new token for the REST API; `--list` and `--revoke` manage them."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from knowledge import access, tokens
from knowledge.models import ApiToken, Matter
from knowledge.models.token import every_right


class Command(BaseCommand):
    help = "Issue an API token; it is printed once and stored only as a digest. Or list or revoke tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name of the person the token acts for")
        parser.add_argument("name", nargs="?", default="", help="what the token is for")
        parser.add_argument("--rights", default=",".join(every_right()), help="as read,ask; default: all")
        parser.add_argument("--days", type=int, help="how long it holds; default: until it is revoked")
        parser.add_argument("--matter", action="append", help="name of a matter it is limited to; repeatable")
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
            self._issue(user, options)

    def _issue(self, user: User, options: dict[str, Any]) -> None:
        rights = [right.strip() for right in options["rights"].split(",")]
        if unknown := set(rights) - set(every_right()):
            raise CommandError(f"No such right: {', '.join(sorted(unknown))}.")
        expires = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        matters = [self._matter(user, name) for name in options["matter"]] if options["matter"] else None
        self.stdout.write(tokens.issue(user, options["name"], tokens.Wish(rights, matters, expires)))

    def _matter(self, user: User, name: str) -> Matter:
        found = list(access.matters_of(user).filter(name=name)[:2])
        if len(found) != 1:
            raise CommandError(f"{user.username} has {len(found) or 'no'} matters named “{name}”.")
        return found[0]

    def _list(self, user: User) -> None:
        for token in ApiToken.objects.filter(user=user):
            used = f"last used {token.last_used:%Y-%m-%d}" if token.last_used else "never used"
            holds = f", until {token.expires:%Y-%m-%d}" if token.expires else ""
            rights = ", ".join(token.rights)
            self.stdout.write(f"{token.name}: {rights}; since {token.created:%Y-%m-%d}{holds}, {used}")

    def _revoke(self, user: User, name: str) -> None:
        ended = list(ApiToken.objects.filter(user=user, name=name))
        if not ended:
            raise CommandError(f"{user.username} has no token “{name}”.")
        for token in ended:
            tokens.revoke(token)
        self.stdout.write(f"Revoked {len(ended)}.")
