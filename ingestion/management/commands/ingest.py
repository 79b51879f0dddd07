"""`manage.py ingest MATTER PATH…`: take in files, folders and archives, and watch what becomes of them."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from ingestion.broker import BrokerFailed
from ingestion.progress import Progress
from ingestion.service import is_owned, running
from knowledge import documents, queue, uploads
from knowledge.models import Matter, Upload

READ_BYTES = 1024 * 1024


class Command(BaseCommand):
    help = "Ingest files, folders and archives into a matter, and report what became of each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("matter", help="name or id of the matter")
        parser.add_argument("paths", nargs="+", type=Path, help="files and folders")
        parser.add_argument("--report", type=Path, help="write what became of each file to this CSV file")
        parser.add_argument("--custodian", default="", help="from whose files all of it was collected")
        parser.add_argument("--no-wait", action="store_true", help="queue the files and return")

    def handle(self, *_args: Any, **options: Any) -> None:
        matter = find_matter(options["matter"])
        files = list(_files(options["paths"]))
        if not files:
            raise CommandError("Nothing to ingest: no file under the given paths.")
        _check_names(files)
        # The embedded index has one owner: a service that runs does the work, else this process does.
        owner = nullcontext() if options["no_wait"] or is_owned() else running()
        started = timezone.now()
        try:
            with owner:
                if not options["no_wait"] and not queue.is_reachable():
                    raise CommandError("The broker cannot be reached: nothing was taken in.")
                upload = uploads.begin(matter, None, options["custodian"])
                rejected = self._add(upload, files)
                failed = (
                    0
                    if options["no_wait"]
                    else Progress(self.stdout, matter, Q(versions__created__gte=started)).watch()
                )
                if options["report"]:
                    _write_report(upload, options["report"])
        except BrokerFailed as error:
            raise CommandError(str(error)) from error
        if rejected or failed:
            raise CommandError(f"{rejected + failed} of the files could not be made searchable; see above.")

    def _add(self, upload: Upload, files: list[tuple[Path, str]]) -> int:
        rejected = 0
        for path, name in files:
            try:
                added = documents.add(upload.matter, name, read_chunks(path), by=None, upload=upload)
            except (documents.Rejected, OSError) as error:
                rejected += 1
                self.stderr.write(f"rejected    {name}: {error}")
                continue
            if not added.is_new:
                self.stdout.write(f"unchanged   {name}")
        return rejected


def _write_report(upload: Upload, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(uploads.REPORT_HEAD)
        writer.writerows(uploads.report(upload))


def _check_names(files: list[tuple[Path, str]]) -> None:
    """Two files must not become one document without a word."""
    seen: dict[str, Path] = {}
    for path, name in files:
        other = seen.setdefault(name, path)
        if other != path:
            raise CommandError(f"{other} and {path} would both be “{name}”: name the folder above them.")


def find_matter(name: str) -> Matter:
    """A matter by its id or its exact name."""
    try:
        found = Matter.objects.filter(pk=UUID(name)).first()
    except (ValueError, ValidationError):
        matches = list(Matter.objects.filter(name=name)[:2])
        if len(matches) > 1:
            raise CommandError(f"There are several matters named “{name}”; use the id.") from None
        found = matches[0] if matches else None
    if found is None:
        known = ", ".join(f"“{known}”" for known in Matter.objects.values_list("name", flat=True)[:10])
        how = "A matter is opened on the first page, by REST or in /admin/."
        raise CommandError(f"No matter “{name}”. Known: {known or 'none'}. {how}")
    return found


def _files(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each file with the name it gets in the matter: of a folder the path inside it."""
    for path in paths:
        if not path.exists():
            raise CommandError(f"No such file or folder: {path}")
        if path.is_file():
            yield path, path.name
            continue
        for inner in sorted(path.rglob("*")):
            if inner.is_file() and not inner.is_symlink():
                yield inner, inner.relative_to(path).as_posix()


def read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while chunk := handle.read(READ_BYTES):
            yield chunk
