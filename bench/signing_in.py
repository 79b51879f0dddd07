"""Refusing a sign-in: a known name against one that nobody has, with the hasher of production.

Processor time, in turns and in changing order, so that other work on the machine falls on both alike.
"""

import os
import statistics
import tempfile
import time
from typing import Any

from bench.figure import Figure

ROUNDS = int(os.environ.get("PINCITE_BENCH_ROUNDS", "60"))


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory:
        os.environ["PINCITE_DATA_DIR"] = directory
        os.environ["DJANGO_SETTINGS_MODULE"] = "knowledge.settings"
        os.environ["PINCITE_LOG_LEVEL"] = "ERROR"  # each refusal is a warning
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        settings.AXES_FAILURE_LIMIT = 1_000_000  # so that none of these attempts is locked out
        settings.ALLOWED_HOSTS = ["testserver"]
        return _measure()


def _measure() -> list[Figure]:
    from django.contrib.auth.models import User
    from django.test import Client

    User.objects.create_user("known", password="correct horse")  # noqa: S106 - of a throw-away database
    client = Client()
    names = ("known", "never")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        _seconds(client, name)
    for number in range(ROUNDS):
        for name in names if number % 2 else reversed(names):
            seconds[name].append(_seconds(client, name))
    known, unknown = (1000 * statistics.median(seconds[name]) for name in names)
    ratio = max(known, unknown) / min(known, unknown)
    title = "sign-in: refusing a known name, against an unknown one, median processor time"
    return [Figure(title, known, "ms", "<= 1.05", unknown, ratio)]


def _seconds(client: Any, name: str) -> float:
    started = time.process_time()
    assert client.post("/login/", {"username": name, "password": "wrong"}).status_code == 200
    return time.process_time() - started


if __name__ == "__main__":
    print(*measure(), sep="\n")
