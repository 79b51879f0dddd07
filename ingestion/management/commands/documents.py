"""`manage.py documents USER MATTER`: what became of its documents; or something is done about it."""

import getpass
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q, QuerySet
from django.http import Http404

from ingestion.progress import Progress, line
from ingestion.service import is_owned, running
from knowledge import access, documents, matters
from knowledge.models import Document, Matter, Role, Version


class Command(BaseCommand):
    help = "List the documents of a matter, or pause, resume, cancel or retry the work on them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name of a member; of a manager, if something is to be done")
        parser.add_argument("matter", help="its name or id")
        parser.add_argument("--state", choices=Version.State.values, help="list only these")
        parser.add_argument("--reason", choices=Version.Reason.values, help="list only what failed for this")
        parser.add_argument("--password", action="store_true", help="ask for the password of what is retried")
        parser.add_argument("--no-wait", action="store_true", help="queue what is retried and return")
        deeds = parser.add_mutually_exclusive_group()
        deeds.add_argument("--cancel", metavar="PATH", help="stop the work on this document")
        deeds.add_argument("--retry", metavar="PATH", help="process this document again")
        deeds.add_argument("--retry-failed", action="store_true", help="process all that failed again")
        deeds.add_argument("--pause", action="store_true", help="let the matter's work wait")
        deeds.add_argument("--resume", action="store_true", help="go on with it")

    def handle(self, *_args: Any, **options: Any) -> None:
        person = User.objects.filter(username=options["user"], is_active=True).first()
        deeds: dict[str, Callable[[Matter, User, dict[str, Any]], None]] = {
            "cancel": self._cancel,
            "retry": self._retry,
            "retry_failed": self._retry_failed,
            "pause": self._pause,
            "resume": self._resume,
        }
        deed = next((deeds[name] for name in deeds if options[name]), self._list)
        role = Role.READER if deed == self._list else Role.MANAGER
        matter = _matter(person, options["matter"], role) if person else None
        if person is None or matter is None:
            raise CommandError(
                f"No one matter “{options['matter']}” of which this active user is a {role.label.lower()}."
            )
        deed(matter, person, options)

    def _list(self, matter: Matter, _: User, options: dict[str, Any]) -> None:
        wanted = {name: options[name] for name in ("state", "reason") if options[name]}
        rows = _listed(matter).filter(**wanted)
        for row in rows.iterator():
            self.stdout.write(line(row))
        self.stdout.write(f"{rows.count()} documents{'; the matter is paused' if matter.is_paused else ''}.")

    def _cancel(self, matter: Matter, person: User, options: dict[str, Any]) -> None:
        if not documents.cancel(_document(matter, options["cancel"]), person):
            raise CommandError("Nothing is being done with this document.")
        self.stdout.write("Cancelled.")

    def _retry(self, matter: Matter, _: User, options: dict[str, Any]) -> None:
        document = _document(matter, options["retry"])
        password = _password() if options["password"] else ""
        try:
            documents.retry(document, password)
        except documents.NotFailed as error:
            raise CommandError(str(error)) from error
        self._follow(matter, [document], options)

    def _retry_failed(self, matter: Matter, _: User, options: dict[str, Any]) -> None:
        failed = list(_listed(matter).filter(state=Version.State.FAILED))
        self.stdout.write(f"{documents.retry_all(matter)} documents are queued again.")
        self._follow(matter, failed, options)

    def _pause(self, matter: Matter, *_: Any) -> None:
        matters.pause(matter)
        self.stdout.write("Paused: what is being worked on now is finished, the rest waits.")

    def _resume(self, matter: Matter, *_: Any) -> None:
        matters.resume(matter)
        self.stdout.write("Resumed.")

    def _follow(self, matter: Matter, rows: Sequence[Document], options: dict[str, Any]) -> None:
        """Watch what becomes of these. The embedded index has one owner: a running service, or else this."""
        if options["no_wait"] or not rows or matter.is_paused:
            return
        with nullcontext() if is_owned() else running():
            failed = Progress(self.stdout, matter, Q(pk__in=[row.pk for row in rows])).watch()
        if failed:
            raise CommandError(f"{failed} of the documents could not be made searchable; see above.")


def _matter(person: User, name: str, role: Role) -> Matter | None:
    """None whether it is missing, hidden or forbidden: they look the same."""
    rows = [row for row in access.matters_of(person) if name in {row.name, str(row.pk)}]
    with suppress(Http404, PermissionDenied):
        return access.matter_for(person, rows[0].pk, role) if len(rows) == 1 else None
    return None


def _listed(matter: Matter) -> QuerySet[Any]:
    """The annotations of a query are not in its type, so this one says Any."""
    return documents.listing(matter)


def _document(matter: Matter, path: str) -> Document:
    found = matter.documents.filter(path=path).first()
    if found is None:
        raise CommandError(f"No document “{path}” in this matter.")
    return found


def _password() -> str:
    """Never as a word of the command, which everybody on the machine can read."""
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
