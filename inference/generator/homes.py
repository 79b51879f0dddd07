"""The folder of each scope in that of what has been read, on disk."""

import shutil
from hashlib import sha256
from pathlib import Path


def home(folder: Path, scope: str) -> Path:
    """Its name tells the scope to nobody who does not know it."""
    return folder / sha256(scope.encode()).hexdigest()[:32]


def forget(folder: Path, scope: str) -> None:
    """Remove what was kept for this scope; no model is needed for it."""
    shutil.rmtree(home(folder, scope), ignore_errors=True)
