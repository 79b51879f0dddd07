"""Parsing in a child process: no network, own scratch folder, limits on memory, time, files and output.

A breach kills the child and its whole process group and is told as ParserKilled.
"""

import json
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from ingestion import children
from ingestion.parse import exchange, progress
from ingestion.parse.confine import ENDED_BY_SIGNAL, LIMITS
from ingestion.parse.errors import ParseError, ParserKilled
from ingestion.parse.parsed import Ocr, Parsed

logger = logging.getLogger(__name__)

CHILD = Path(__file__).parent / "parse" / "__main__.py"
LOOK_SECONDS = 0.1
WEIGH_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
    memory_bytes: int = 2 * 1024**3  # private memory
    cpu_seconds: int = 7200
    file_bytes: int = 512 * 1024**2  # each file in the scratch folder
    open_files: int = 256
    output_bytes: int = 1024**3  # all files in the scratch folder
    silent_seconds: float = 60.0  # without a sign of life: a page read
    wall_seconds: float = 3600.0

    def of_child(self) -> dict[str, int]:
        """What the child imposes on itself."""
        return {name: value for name, value in asdict(self).items() if name in LIMITS}


class Cancelled(Exception):
    """The caller wanted no result any more; the child was stopped."""


_running: set[children.Child] = set()


def stop_all() -> None:
    """End the parsers that run now: the process is about to end. Their jobs come back."""
    for child in list(_running):
        child.kill()


def parse_in_child(
    path: Path,
    name: str,
    limits: Limits = Limits(),
    *,
    ocr: Ocr | Sequence[int] = "now",
    password: str = "",
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Parsed:
    """Parse a file in a sandboxed child. Raises ParseError (permanent), ParserKilled or Cancelled.

    `ocr` "later" leaves pages that are pictures as kind "pending"; with numbers just those pages are read.
    """
    how, only = (ocr, "") if isinstance(ocr, str) else ("only", ",".join(map(str, ocr)))
    words = [str(path.resolve()), name.replace("\x00", ""), how, only]
    with _scratch() as scratch:
        exchange.give_password(scratch, password)
        _run(words, scratch, limits, is_cancelled)
        _check_output(scratch, limits)
        _log_complaints(scratch)
        return exchange.read(scratch)


def draw_in_child(path: Path, name: str, number: int, width: int, limits: Limits) -> bytes:
    """A page as PNG, drawn in a sandboxed child. Raises ParseError (permanent) or ParserKilled."""
    words = [str(path.resolve()), name.replace("\x00", ""), "only", str(number), str(width)]
    with _scratch() as scratch:
        _run(words, scratch, limits, lambda: False)
        _check_output(scratch, limits)
        return exchange.read_picture(scratch)


@contextmanager
def _scratch() -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix="pincite-parse-"))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@cache
def protections() -> list[str]:
    """The protections that are active on this machine; said once in the log."""
    with _scratch() as scratch:
        _run([], scratch, Limits(), lambda: False)
        active: list[str] = json.loads(exchange.take(scratch, exchange.PROTECTIONS))
    if "no network" not in active:
        active.append("network NOT cut off: the kernel forbids it")
    level = logging.WARNING if "NOT" in active[-1] else logging.INFO
    logger.log(level, "Parser sandbox: %s", ", ".join(active))
    return active


def _run(words: Sequence[str], scratch: Path, limits: Limits, is_cancelled: Callable[[], bool]) -> None:
    child = children.fork(CHILD, limits.of_child(), words, scratch)
    _running.add(child)
    try:
        code = _wait(child, scratch, limits, is_cancelled)
    finally:
        _running.discard(child)
        child.close()
    if code != 0:
        raise _cause(ENDED_BY_SIGNAL - code if code > ENDED_BY_SIGNAL else code, scratch)


def _wait(child: children.Child, scratch: Path, limits: Limits, is_cancelled: Callable[[], bool]) -> int:
    started = weighed = time.time()
    while not is_cancelled():
        code = child.wait(LOOK_SECONDS)
        if code is not None:
            return code
        silence = time.time() - max(started, _last_sign(scratch))
        if silence > limits.silent_seconds or time.time() - started > limits.wall_seconds:
            raise ParserKilled("timeout", "Reading the file took too long and was stopped.")
        if time.time() - weighed > WEIGH_SECONDS:
            weighed = time.time()
            _check_output(scratch, limits)
    raise Cancelled


def _last_sign(scratch: Path) -> float:
    """When the child last finished a page, in seconds since the epoch."""
    try:
        return (scratch / progress.NAME).lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _log_complaints(scratch: Path) -> None:
    """What a parser that ended well had to say of itself."""
    told = _complaint(scratch)
    if "Traceback" in told:
        logger.warning("A parser stumbled: %s", told)


def _complaint(scratch: Path) -> str:
    """The end of what the child wrote to its standard error; nothing where it took that file away."""
    try:
        return exchange.take(scratch, exchange.COMPLAINTS)[-4000:].decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def _cause(code: int, scratch: Path) -> ParserKilled:
    complaint = _complaint(scratch)
    logger.warning("A parser ended with %s: %s", code, complaint)
    if any(
        word in complaint for word in ("MemoryError", "bad_alloc", "Cannot allocate memory", "Out of memory")
    ):
        return ParserKilled("memory", exchange.OUT_OF_MEMORY)
    if code == -signal.SIGXCPU:
        return ParserKilled("timeout", "Reading the file took too much time and was stopped.")
    if code == -signal.SIGXFSZ or "File too large" in complaint:
        return ParserKilled("memory", "Reading the file made more data than is allowed.")
    return ParserKilled("crashed", "The program that reads such files crashed on this one.")


def _check_output(scratch: Path, limits: Limits) -> None:
    """What the child left so far, at any depth; links count as what they are, not as what they point to."""
    size = 0
    for folder, _, files in os.walk(scratch):
        for name in files:
            with suppress(FileNotFoundError):
                size += (Path(folder) / name).lstat().st_size
    if size > limits.output_bytes:
        raise ParseError("too_large", "The file contains more than can be taken in at once.")
