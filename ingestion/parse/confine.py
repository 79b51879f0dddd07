"""The child closes its own doors before it looks at the file: network, other processes, files, memory, time.

What the kernel does not offer is left out and missing from the returned list; the limits work everywhere.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
LIMITS = {
    "memory_bytes": resource.RLIMIT_DATA,
    "cpu_seconds": resource.RLIMIT_CPU,
    "file_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
}
ENDED_BY_SIGNAL = 128  # an exit status above this is a signal's number more

# Landlock (Linux 5.13): system calls, and access rights to files as bits. The first version knows 13 of them.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR
RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
MOST_RIGHTS = 16
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev")

_libc = ctypes.CDLL(None, use_errno=True)


def confine(limits: dict[str, int], readable: Iterable[Path] = ()) -> list[str]:
    """Apply what this machine allows and return its names. `limits` has the keys of LIMITS and `parent`, the
    process to end with; `readable` are the files that may be read beside the system and the program.
    """
    _end_with_parent(limits["parent"])
    for name, what in LIMITS.items():
        # A little above the soft limit, so that its signal comes first and says which limit it was.
        hard = limits[name] + 5 if what == resource.RLIMIT_CPU else limits[name]
        resource.setrlimit(what, (limits[name], hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    active = ["separate process", "limits on memory, time, files"]
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID) == 0:
        _become_the_only_process()
        active += ["no network", "no other processes"]
    elif _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        active.append("no network")
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        active.append("no new privileges")
        if _restrict_files(readable):
            active.append("writes only to its own scratch folder")
    return active


def adopt_orphans() -> None:
    """From now on whatever descends from this process, and loses its parent, is this process's child."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with_parent(parent: int) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before it could be watched
        os._exit(1)


def _become_the_only_process() -> None:
    """Go on in the new process namespace, below an empty first process whose end ends everything in it."""
    _wait_in_parent(os.fork())
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _wait_in_parent(os.fork())
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_in_parent(child: int) -> None:
    """In the parent: end as the child ends. In the child: go on."""
    if child:
        _, status = os.waitpid(child, 0)
        is_signal = os.WIFSIGNALED(status)
        os._exit(ENDED_BY_SIGNAL + os.WTERMSIG(status) if is_signal else os.WEXITSTATUS(status))


class _Ruleset(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def _restrict_files(readable: Iterable[Path]) -> bool:
    """By Landlock: read the system, the program and these files; write to the working directory alone."""
    version = _libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    every = (1 << RIGHTS_OF_VERSION.get(version, MOST_RIGHTS)) - 1
    handled = _Ruleset(every)
    rules = _libc.syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if rules < 0:
        return False
    program = (sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parent.parent))
    for path in (*SYSTEM, *program):
        _allow(rules, path, READ)
    for file in readable:
        _allow(rules, str(file), READ_FILE)
    _allow(rules, "/dev/null", READ_FILE | WRITE_FILE)
    _allow(rules, str(Path.cwd()), every)
    return bool(_libc.syscall(RESTRICT_SELF, rules, 0) == 0)


def _allow(rules: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _libc.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(_PathBeneath(rights, opened)), 0)
        os.close(opened)
