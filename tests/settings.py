"""The project's settings over a throw-away data directory, so that a test run touches nothing of yours."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_directory = tempfile.mkdtemp(prefix="pincite-test-")
_owner = os.getpid()
os.environ["PINCITE_DATA_DIR"] = _directory
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

from knowledge.settings import *  # noqa: E402, F403
from knowledge.settings import BASE_DIR, DATABASES, GENERATOR  # noqa: E402


@atexit.register
def _remove() -> None:
    if os.getpid() == _owner:
        shutil.rmtree(_directory, ignore_errors=True)


# Threads of the embedded service share the test database, which an in-memory one cannot offer.
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_directory) / "test.sqlite3")}
API_CALLS = 1_000_000  # tests call faster than people
WHITENOISE_AUTOREFRESH = (
    True  # look for a static file when it is asked for, not for all of them in each Client()
)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Dequantised weights are made once for all test runs, not once a run.
_models = BASE_DIR / "var" / "models"
GENERATOR = GENERATOR.__class__(**{**GENERATOR.__dict__, "cache_dir": _models})
