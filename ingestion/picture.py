"""`python -m ingestion.picture FILE NAME PAGE WIDTH`: a page as PNG on standard output, from the sandbox.

Run by its name by who waits for the page (knowledge.pictures). With status 3 the reason is on standard error.
"""

import sys
from pathlib import Path

from ingestion import sandbox
from ingestion.parse.errors import ParseError

CANNOT = 3
LOCKED = "The file is protected by a password, which was forgotten when its text was read: see the text."
LIMITS = sandbox.Limits(
    memory_bytes=1024**3, cpu_seconds=30, output_bytes=256 * 1024**2, silent_seconds=15.0, wall_seconds=15.0
)


def main(path: str, name: str, page: str, width: str) -> None:
    try:
        drawn = sandbox.draw_in_child(Path(path), name, int(page), int(width), LIMITS)
    except ParseError as error:
        sys.stderr.write(LOCKED if error.code == "encrypted" else error.message)
        sys.exit(CANNOT)
    sys.stdout.buffer.write(drawn)


if __name__ == "__main__":
    main(*sys.argv[1:])
