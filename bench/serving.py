"""A real service as a child process, over a data directory of its own: for the benchmarks and the tests."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Service:
    url: str
    token: str
    password: str
    process: psutil.Process
    seconds_to_first_page: float

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {self.token}"}, timeout=300
        )


def environment(directory: Path) -> dict[str, str]:
    """The environment of a service that keeps its data in `directory`.

    The converted weights are shared with the checkout's own service: converting them is done once, ever.
    """
    weights = ROOT / "var" / "models"
    weights.mkdir(parents=True, exist_ok=True)
    directory.mkdir(exist_ok=True)
    if not (directory / "models").exists():
        (directory / "models").symlink_to(weights)
    own = {
        "PINCITE_DATA_DIR": str(directory),
        "DATABASE_URL": "",
        "PINCITE_API_CALLS": "1000000",
        "DJANGO_SETTINGS_MODULE": "knowledge.settings",
    }
    return {**os.environ, **own}


def manage(environment: dict[str, str], *words: str) -> str:
    """Run a command of manage.py and return what it printed."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def serving(environment: dict[str, str], *, make_token: bool = True) -> Iterator[Service]:
    """The service, with a token of its superuser `admin`, until the block ends."""
    password, token = secrets.token_urlsafe(12), ""
    if make_token:
        manage({**environment, "PINCITE_ADMIN_PASSWORD": password}, "setup")
        token = re.findall(r"pincite_\S+", manage(environment, "token", "admin", "bench"))[0]
    port = free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    started = time.monotonic()
    process = psutil.Popen(command, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/login/")
        yield Service(url, token, password, process, time.monotonic() - started)
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(url)
