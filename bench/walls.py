"""Whether time tells what a refusal does not: a foreign id against an id of nothing, in interleaved calls.

Processor time of the whole call, through middleware and audit. For each kind of id the median of many rounds;
what is kept is the median of the kinds and the worst of them, as foreign divided by missing.
"""

import logging
import os
import statistics
import tempfile
import time
from typing import Any
from uuid import uuid4

from bench.figure import Figure

ROUNDS = 300
MATTERS, DOCUMENTS = 50, 40  # beside which the foreign one stands
DOORS = {
    "matter": "/api/v1/matters/{}",
    "document": "/api/v1/documents/{}",
    "version": "/api/v1/versions/{}",
    "answer": "/api/v1/answers/{}",
    "run": "/api/v1/runs/{}",
    "matter, page": "/matters/{}/",
    "document, page": "/documents/{}/",
    "answer, page": "/answers/{}/",
}


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pincite-bench-") as directory:
        os.environ["PINCITE_DATA_DIR"] = directory
        os.environ["PINCITE_API_CALLS"] = "1000000"
        os.environ["DJANGO_SETTINGS_MODULE"] = "knowledge.settings"
        import django
        from django.core.management import call_command

        django.setup()
        logging.disable(logging.WARNING)  # thousands of refusals
        call_command("migrate", verbosity=0)
        return [*_figures("another matter", *_fill()), *_figures("a wall", *_fill(walled=True))]


def _figures(by: str, call: Any, ids: dict[str, str]) -> list[Figure]:
    ratios = {name: _ratio(call, path, ids[name.split(",")[0]]) for name, path in DOORS.items()}
    print(f"  behind {by}: " + ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items()))
    worst = max(ratios.values(), key=lambda ratio: abs(ratio - 1))
    return [
        Figure(
            f"refusals: behind {by} against missing, median of kinds", statistics.median(ratios.values()), "x"
        ),
        Figure(f"refusals: behind {by} against missing, farthest kind", worst, "x"),
    ]


def _ratio(call: Any, path: str, foreign: str) -> float:
    """The median of one divided by the other; which comes first takes turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(ROUNDS):
        for is_foreign in (True, False) if turn % 2 else (False, True):
            address = path.format(foreign if is_foreign else uuid4())
            started = time.process_time()
            status = call(address)
            times[is_foreign].append(time.process_time() - started)
            assert status == 404, (address, status)
    return statistics.median(times[True]) / statistics.median(times[False])


def _fill(*, walled: bool = False) -> tuple[Any, dict[str, str]]:
    """A call by a person who may not see the foreign matter, and the ids of it."""
    from django.contrib.auth.models import User
    from django.test import Client

    from knowledge import matters, walls
    from knowledge.models import ApiToken, Role

    stranger, person = (User.objects.create_user(f"bench-{uuid4()}") for _ in range(2))
    for number in range(MATTERS):
        _documents(matters.create(f"Matter {number}", person if number % 2 else stranger), stranger)
    foreign = matters.create("Foreign", stranger)
    ids = _documents(foreign, stranger)
    if walled:
        matters.set_member(foreign, person, Role.MEMBER)
        walls.raise_wall(foreign, person, walls.Terms("Acted for the other side."), stranger)
    token = f"Bearer {ApiToken.issue(person, 'bench')}"
    client = Client(headers={"Host": "localhost"})
    client.force_login(person)

    def call(address: str) -> int:
        headers = {"Authorization": token} if address.startswith("/api/") else {}
        return client.get(address, headers=headers).status_code

    call("/")
    return call, ids


def _documents(matter: Any, person: Any) -> dict[str, str]:
    """Rows of each kind in the matter, and the ids of the last ones."""
    from knowledge.models import Answer, Document, Run, Version

    for number in range(DOCUMENTS):
        document = Document.objects.create(matter=matter, path=f"document {number}.txt")
        version = Version.objects.create(document=document, number=1, sha256="0" * 64, size=1)
    answer = Answer.objects.create(matter=matter, asker=person, question="Who pays?")
    run = Run.objects.create(matter=matter, asker=person, kind=Run.Kind.EVERY, question="Who pays?")
    rows = {"matter": matter, "document": document, "version": version, "answer": answer, "run": run}
    return {name: str(row.pk) for name, row in rows.items()}
