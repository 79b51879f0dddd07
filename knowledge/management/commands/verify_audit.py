"""`manage.py verify_audit [FILE]`: check the chain of an exported audit, or of the database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.management.base import BaseCommand, CommandError

from knowledge.audit import chain, export


class Command(BaseCommand):
    help = (
        "Check the audit's chain; fails and names the first event that is wrong. Without FILE: the database."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="a JSON lines export")
        parser.add_argument("--key", help="the public key, hex; without it this installation's own")
        parser.add_argument("--anchor", type=Path, help="an anchor kept elsewhere: the chain must reach it")
        parser.add_argument("--print-key", action="store_true", help="show this installation's public key")

    def handle(self, *_args: Any, **options: Any) -> None:
        own = chain.private_key(settings.AUDIT_KEY).public_key()
        if options["print_key"]:
            self.stdout.write(own.public_bytes_raw().hex())
            return
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(options["key"])) if options["key"] else own
        try:
            check = self._check(options["file"], key)
            if options["anchor"]:
                check.reaches(json.loads(options["anchor"].read_text(encoding="utf-8")))
        except chain.Broken as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{check.sequence} events, unbroken, signed.")

    def _check(self, file: Path | None, key: Ed25519PublicKey) -> chain.Check:
        if file is None:
            return chain.check_lines(export.lines(AnonymousUser()), key)
        with file.open(encoding="utf-8", newline="\n") as lines:
            return chain.check_lines(lines, key)
