"""Forked children: the service's side of the nursery (`ingestion/parse/nursery.py`)."""

import atexit
import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

NURSERY = Path(__file__).parent / "parse" / "nursery.py"
MOST_CHILDREN = 500  # of one nursery: its children share where things are in memory, so it does not get old
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

    def fork(self) -> socket.socket:
        """The socket of a new keeper. Raises ConnectionError where the nursery is gone."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._service, [b"+"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        self.children += 1
        return ours

    def close(self) -> None:
        """Its children stay."""
        self._service.close()
        self._process.wait()


_lock = Lock()
_open: list[_Nursery] = []


def fork(program: Path, limits: Mapping[str, int], words: Sequence[str], scratch: Path) -> Child:
    """Run a Python program with these words in a scratch folder, in a fork of a warm interpreter."""
    wanted = {"program": str(program), "limits": limits, "words": words, "scratch": str(scratch)}
    with _lock:
        try:
            link = _nursery().fork()
        except ConnectionError:
            _close()
            link = _nursery().fork()
    link.sendall(json.dumps(wanted).encode() + b"\n")
    return Child(link)


def _nursery() -> _Nursery:
    if _open and _open[0].children >= MOST_CHILDREN:
        _close()
    if not _open:
        _open.append(_Nursery())
    return _open[0]


@atexit.register
def _close() -> None:
    while _open:
        _open.pop().close()
