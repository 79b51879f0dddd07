"""Forked children: the service's side of the nursery (`ingestion/parse/nursery.py`)."""

import atexit
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

from ingestion.parse import exchange

logger = logging.getLogger(__name__)

NURSERY = Path(__file__).parent / "parse" / "nursery.py"
MOST_CHILDREN = 500  # of one nursery: its children share where things are in memory, so it does not get old
START_SECONDS = 60.0  # a nursery that is just importing a library answers late
END_SECONDS = 10.0
GONE = -9  # as of a process that was killed: whoever could have told was killed too
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}


class Child:
    """A program at work in a process group of its own; it ends at the latest when this object goes."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._status: int | None = None

    def wait(self, seconds: float) -> int | None:
        """The exit status, negative for a signal; None while it still runs."""
        if self._status is None:
            self._link.settimeout(seconds)
            try:
                self._status = int(self._link.recv(8) or GONE)
            except TimeoutError:
                return None
            except ConnectionError:
                self._status = GONE
        return self._status

    def kill(self) -> None:
        """End it and everything in its group. Whoever waits for it is told."""
        try:
            self._link.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has ended

    def close(self) -> None:
        self.kill()
        self.wait(END_SECONDS)
        self._link.close()


class _Nursery:
    def __init__(self) -> None:
        self._service, theirs = socket.socketpair()
        self._service.settimeout(START_SECONDS)
        self._sending = Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", str(NURSERY)],
                cwd="/",
                env=ENVIRONMENT,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.children = 0

    @property
    def is_fit(self) -> bool:
        return self.children < MOST_CHILDREN and self._process.poll() is None

    def fork(self, request: bytes) -> socket.socket:
        """The socket of a keeper that has taken the request. Raises OSError where none does."""
        ours, theirs = socket.socketpair()
        ours.settimeout(START_SECONDS)
        try:
            with theirs, self._sending:
                socket.send_fds(self._service, [b"+"], [theirs.fileno()])
            ours.sendall(request)
            if ours.recv(len(exchange.TAKEN)) != exchange.TAKEN:
                raise ConnectionResetError("The nursery ended before it took the request.")
        except OSError:
            ours.close()
            raise
        return ours

    def close(self) -> None:
        """Its children stay."""
        with self._sending:
            self._service.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_lock = Lock()
_open: list[_Nursery] = []


def fork(program: Path, limits: Mapping[str, int], words: Sequence[str], scratch: Path) -> Child:
    """Run a Python program with these words in a scratch folder, in a fork of a warm interpreter.

    A nursery that was lost is replaced, once. Raises OSError where the next one is lost too.
    """
    (scratch / exchange.COMPLAINTS).touch(0o600)
    wanted = {"program": str(program), "limits": limits, "words": words, "scratch": str(scratch)}
    request = json.dumps(wanted).encode() + b"\n"
    try:
        return _fork(request)
    except OSError as error:
        logger.warning("The nursery of parsers was lost, another one begins: %s", error)
        return _fork(request)


def _fork(request: bytes) -> Child:
    nursery = _nursery()
    try:
        return Child(nursery.fork(request))
    except OSError:
        with _lock:
            if nursery in _open:
                _open.remove(nursery)
        nursery.close()
        raise


def _nursery() -> _Nursery:
    """The one that serves; begun anew where it is old or has ended."""
    with _lock:
        left = [nursery for nursery in _open if not nursery.is_fit]
        _open[:] = [nursery for nursery in _open if nursery.is_fit] or [_Nursery()]
        serving = _open[0]
        serving.children += 1
    for nursery in left:
        nursery.close()
    return serving


@atexit.register
def _close() -> None:
    while _open:
        _open.pop().close()
