"""A page as it is printed: PNG, drawn when somebody looks at it and kept nowhere.

What reads files is a program of its own that is run by its name, and works in the parsers' sandbox.
"""

import subprocess
import sys
from threading import BoundedSemaphore

from django.conf import settings

from knowledge import blobs
from knowledge.models import Version
from knowledge.streams import give_back_connection

PROGRAM = "ingestion.picture"
SECONDS = 20.0
WIDTH = 1200  # pixels
LEAST_WIDTH, MOST_WIDTH = 100, 2400
_turns = BoundedSemaphore(2)  # each takes a processor and up to a GiB


class NoPicture(Exception):
    """The page cannot be drawn; the message says why."""


class Busy(Exception):
    """Too many pages are being drawn at the moment."""


def has_pictures(version: Version) -> bool:
    """Whether its pages can be shown as they are printed."""
    return version.media_type == "application/pdf" or version.media_type.startswith("image/")


def draw(version: Version, number: int, width: int = WIDTH) -> bytes:
    """PNG of a page. Holds no database connection meanwhile. Raises NoPicture, and Busy."""
    file = blobs.path(version.document.matter_id, version.sha256)
    command = [sys.executable, "-m", PROGRAM, str(file), version.document.name, str(number), str(width)]
    if not file.is_file():
        raise NoPicture("The stored file is gone.")
    give_back_connection()
    if not _turns.acquire(timeout=SECONDS):
        raise Busy("Too many pages are being drawn at the moment. Try again.")
    try:
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoPicture("Drawing the page took too long and was stopped.") from error
    finally:
        _turns.release()
    if done.returncode:
        raise NoPicture(_reason(done))
    return done.stdout


def _reason(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What the program said, if it ended as it should."""
    told = done.stderr.decode("utf-8", errors="replace").strip()
    return told[:500] if done.returncode == 3 and told else "The page could not be drawn."
