"""The checks that Django makes for a deployment find nothing behind TLS."""

import os
import subprocess
import sys

from django.conf import settings


def test_the_deployment_check_is_clean(tmp_path):
    surroundings = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "knowledge.settings",
        "PINCITE_DATA_DIR": str(tmp_path),
        "PINCITE_HTTPS": "true",
    }
    command = [
        sys.executable,
        str(settings.BASE_DIR / "manage.py"),
        "check",
        "--deploy",
        "--fail-level",
        "INFO",
    ]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr
