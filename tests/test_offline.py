"""`make run` with the network cut off: no address but loopback exists, and the whole path still works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.serving import ROOT, environment

SCRIPT = Path(__file__).parent / "offline.sh"


def network_can_be_cut() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--map-root-user", "--net", "true"], check=False, capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.skipif(not network_can_be_cut(), reason="this machine allows no network namespace")
@pytest.mark.skipif(not (ROOT / ".venv/installed").exists(), reason="needs the environment that make builds")
def test_make_run_needs_no_network(tmp_path):
    command = ["unshare", "--map-root-user", "--net", "bash", str(SCRIPT), sys.executable]
    surroundings = {**environment(tmp_path), "PINCITE_ADMIN_PASSWORD": "cut off from all"}
    done = subprocess.run(
        command, env=surroundings, cwd=ROOT, check=False, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Q: ", done.stdout, re.MULTILINE)
    assert re.search(r"^\[1\] .+, .+: “.+”$", done.stdout, re.MULTILINE), done.stdout
    assert "first page: 200" in done.stdout
    assert "outside: unreachable" in done.stdout
