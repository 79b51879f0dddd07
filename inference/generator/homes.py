"""The folder of each scope in that of what has been read, on disk."""

import shutil
from hashlib import sha256
from pathlib import Path

from inference.errors import Unavailable


def home(folder: Path, scope: str) -> Path:
    """Its name tells the scope to nobody who does not know it."""
    return folder / sha256(scope.encode()).hexdigest()[:32]


def forget(folder: Path, scope: str) -> None:
    """Remove what was kept for this scope, without a model. Raises Unavailable where a file stays."""
    try:
        shutil.rmtree(home(folder, scope))
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unavailable(f"What was read could not be forgotten: {error}") from error
