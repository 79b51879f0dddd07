"""`manage.py serve`: the whole service in one process."""

import signal
import socket
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.errors import InferenceError
from ingestion.broker import BrokerFailed
from ingestion.service import AlreadyRunning, running
from knowledge import engines, generations, purge
from knowledge.index import IndexUnavailable


class Command(BaseCommand):
    help = "Serve the web app and the API, and do the background work, in one process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *_args: Any, **options: Any) -> None:
        # The server passes a signal on when it has closed; as an exit it closes the rest too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            with running():
                purge.bury()
                generations.restore()
                if generations.is_outdated():
                    self.stdout.write(
                        "The index was made by an older version: `manage.py reindex` renews it."
                    )
                threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
                self._serve(options["host"], options["port"])
        except (AlreadyRunning, BrokerFailed, IndexUnavailable) as error:
            raise CommandError(str(error)) from error

    def _serve(self, host: str, port: int) -> None:
        config = uvicorn.Config(
            "knowledge.asgi:application",
            host=host,
            port=port,
            lifespan="off",
            log_level="warning",
            proxy_headers=settings.HTTPS,
            timeout_graceful_shutdown=5,
        )
        address = f"http://{host}:{port}/"
        _Server(config, lambda: self.stdout.write(f"Pincite is at {address}")).run()

    def _warm_up(self) -> None:
        """Load the models while the first pages are already served."""
        try:
            generation = generations.current()
            generations.embedder(generation).embed_query("warm")
            generations.index(generation).warm()
            engines.generator()
        except (InferenceError, IndexUnavailable) as error:
            self.stderr.write(f"The model could not be loaded: {error}")


class _Server(uvicorn.Server):
    """Says so when it answers, not before."""

    def __init__(self, config: uvicorn.Config, answers: Callable[[], None]) -> None:
        super().__init__(config)
        self._answers = answers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._answers()
