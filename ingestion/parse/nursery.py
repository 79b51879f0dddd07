"""The nursery, `python -I nursery.py`: an interpreter that has imported the parsers, and forks children.

Starting Python and importing a parser takes many times as long as reading a small file. This process never
sees a file, nor the name of one: what comes by its standard input is a socket for each child. A keeper is
forked for it, which learns from the socket what to do, forks the child, and ends it when the socket's other
side closes. So no child inherits anything of another one's.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from ingestion.parse import PARSERS, confine, exchange

MOST_FILES = 1024  # that may be open here
ORPHAN_SECONDS = 5.0  # for what a child left behind to end


def main() -> None:
    """Fork a keeper for every socket that comes, until the service is gone; import parsers in between."""
    service = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)  # a keeper that had the service's socket would seem to be a nursery
    os.close(nothing)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    wanted = [module for module, _ in PARSERS.values()]
    while True:
        while wanted and not _has_come(service):
            _import(wanted.pop(0))
        gc.freeze()  # what is not collected is not written to, and stays shared with the children
        _, sockets, _, _ = socket.recv_fds(service, 1, 1)
        if not sockets:
            return
        if os.fork() == 0:
            service.close()
            _end_after(partial(_keep, socket.socket(fileno=sockets[0])))
        os.close(sockets[0])


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever a library does: the child that needs it will say so
        sys.stderr.write(f"A parser cannot be loaded: {module}: {type(error).__name__}: {error}\n")
        sys.stderr.flush()


def _has_come(service: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(service, select.POLLIN)
    return bool(waiting.poll(0))


def _keep(link: socket.socket) -> None:
    """Take a request, fork the child, end it when nobody wants it any more, and say how it ended."""
    os.setsid()
    confine.adopt_orphans()
    ended, told = os.pipe()
    os.set_blocking(told, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # what counts is the byte that is written when it comes
    signal.set_wakeup_fd(told)
    with link.makefile("rb") as request:
        line = request.readline()
    try:
        link.sendall(exchange.TAKEN)
    except ConnectionError:
        return  # nobody waits any more
    wanted = json.loads(line)
    wanted["limits"]["parent"] = os.getpid()
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        _end_after(partial(_become, **wanted))
    _until_over(link, ended, child)
    with suppress(ProcessLookupError):  # it may not have a group yet
        os.killpg(child, signal.SIGKILL)  # of one that has ended by itself: what it left running
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_orphans()
    with suppress(BrokenPipeError):
        link.sendall(b"%d" % os.waitstatus_to_exitcode(status))


def _until_over(link: socket.socket, ended: int, child: int) -> None:
    """Until the child has ended, or nobody wants it any more. An orphan of it may end before it does."""
    waiting = select.poll()
    waiting.register(link, select.POLLIN)
    waiting.register(ended, select.POLLIN)
    while link.fileno() not in dict(waiting.poll()):
        os.read(ended, 4096)
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return


def _end_orphans() -> None:
    """Whatever the child began and put into another session: all of it has become ours."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                for orphan in _children():
                    os.kill(orphan, signal.SIGKILL)
                time.sleep(0.005)


def _children() -> list[int]:
    found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
    return [pid for pid in found if _parent(pid) == os.getpid()]


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it has ended
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _become(program: str, limits: dict[str, int], words: list[str], scratch: str) -> None:
    """Run this program in the scratch folder, with nothing open and in a session that it cannot leave."""
    os.setsid()
    os.chdir(scratch)
    complaints = os.open(exchange.COMPLAINTS, os.O_WRONLY)
    nothing = os.open(os.devnull, os.O_RDWR)
    for place, opened in enumerate((nothing, nothing, complaints)):
        os.dup2(opened, place)
    os.closerange(3, MOST_FILES)
    os.environ |= {"TMPDIR": scratch, "HOME": scratch}
    tempfile.tempdir = None  # is asked for anew
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.argv = [program, json.dumps(limits), *words]
    runpy.run_path(program, run_name="__main__")


def _end_after(deed: Callable[[], None]) -> NoReturn:
    """A forked process never comes back into the loop of the one that forked it."""
    code = 1
    try:
        deed()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as an interpreter does that ends
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
