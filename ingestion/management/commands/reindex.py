"""`manage.py reindex`: build the index anew beside the one that serves, then switch."""

import time
from argparse import ArgumentParser
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.service import is_owned, running
from knowledge import generations
from knowledge.models import Generation

LOOK_SECONDS = 0.5


class Command(BaseCommand):
    help = "Build a new generation of the index, with the settings or the options, and switch to it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chunk-characters", type=int, help="size of a passage")
        parser.add_argument(
            "--chunk-overlap", type=int, help="characters that both halves of a cut clause have"
        )
        parser.add_argument(
            "--abandon", action="store_true", help="give up the generation that is being built"
        )
        parser.add_argument("--no-wait", action="store_true", help="queue the work and return")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["abandon"]:
            self.stdout.write("Given up." if generations.abandon() else "Nothing is being built.")
            return
        owner = nullcontext() if options["no_wait"] or is_owned() else running()
        with owner:
            building = self._building(options)
            if not options["no_wait"]:
                self._watch(building)

    def _building(self, options: dict[str, Any]) -> Generation:
        """A new generation, or the one whose building was interrupted."""
        given = {name: options[name] for name in ("chunk_characters", "chunk_overlap") if options[name]}
        try:
            return generations.begin(replace(generations.configured(), **given))
        except generations.AlreadyBuilding as error:
            if given:
                raise CommandError(f"{error} With --abandon it is given up.") from error
            self.stdout.write(f"{error} Going on.")
            return Generation.objects.get(state=Generation.State.BUILDING)

    def _watch(self, building: Generation) -> None:
        while generations.advance() is None and self._is_building(building):
            if self.stdout.isatty():
                left = generations.missing(building).count()
                self.stdout.write(f"\r\x1b[K{left} documents to go", ending="")
            time.sleep(LOOK_SECONDS)
        if generations.current().pk != building.pk:
            raise CommandError(f"Generation {building.number} was given up.")
        self.stdout.write(f"Search reads generation {building.number} now.")

    def _is_building(self, building: Generation) -> bool:
        return Generation.objects.filter(pk=building.pk, state=Generation.State.BUILDING).exists()
