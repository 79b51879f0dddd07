"""The power fails while a running service takes files in: what it had said to have, it has.

So has an index what was flushed into it, whatever of its files the system had written back by then, and
whichever shard of it is about to take over.

The data directory is an ext4 file system in a file. The cut shuts that file system down without flushing its
journal (EXT4_IOC_SHUTDOWN): of what only the page cache holds nothing reaches the file, as when the power
fails, and from the same instant for all of it, which a copy of the file does not give. At PINCITE_TEST_CUTS
moments (2; `make soak` takes 20), each on what the one before left.
"""

import fcntl
import os
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psutil
import pytest

from bench.serving import Service, environment, manage, serving
from knowledge.index import IndexConfig, Where
from knowledge.index.edge import EdgeIndex
from tests.test_kill import asked

CUTS = int(os.environ.get("PINCITE_TEST_CUTS", "2"))
IMAGE_BYTES = 1 << 30  # sparse
SHUTDOWN, WITHOUT_FLUSHING = 0x8004587D, 2
LATEST_SECONDS = 4.0
SETTLED_SECONDS = 120
LEFT = "SELECT count(*) FROM knowledge_job WHERE state IN ('due', 'running')"
PRESENT = "SELECT d.path, v.sha256 FROM knowledge_version v JOIN knowledge_document d ON v.document_id = d.id"
TEXT = "{k}. The keeper of berth{n} signs for delay {k} of the lot and answers for it up to EUR {k}00.\n"


def text_of(number: int) -> str:
    return "".join(TEXT.format(n=number, k=clause) for clause in range(1, 12))


@dataclass
class Disk:
    image: Path
    at: Path
    is_mounted: bool = False

    @property
    def surroundings(self) -> dict[str, str]:
        return environment(self.at / "data")

    def mount(self) -> None:
        """Replays the journal, as a machine does that comes up again."""
        command("mount", "-o", "loop", str(self.image), str(self.at))
        self.is_mounted = True

    def cut(self) -> None:
        folder = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
        finally:
            os.close(folder)

    def unmount(self) -> None:
        """Parsers end a moment after the service that started them, and hold files until then."""
        deadline = time.monotonic() + 20
        while self.is_mounted:
            try:
                command("umount", str(self.at))
                self.is_mounted = False
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk.img", tmp_path / "disk")
    made.at.mkdir()
    with made.image.open("wb") as image:
        image.truncate(IMAGE_BYTES)
    try:
        command("mkfs.ext4", "-q", "-F", str(made.image))
        made.mount()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("No file system can be made and mounted here.")
    yield made
    made.unmount()


@dataclass
class Sender:
    """Sends files until the service no longer answers, and remembers which it was told are there."""

    matter: str
    acknowledged: list[str] = field(default_factory=list)
    sent: int = 0

    def send(self, client: httpx.Client) -> None:
        with suppress(httpx.TransportError):
            while self._send_one(client):
                pass

    def _send_one(self, client: httpx.Client) -> bool:
        self.sent += 1
        name = f"{self.sent:03}.txt"
        upload = {"file": (name, text_of(self.sent).encode())}
        answer = client.post(f"/matters/{self.matter}/documents", files=upload)
        if answer.is_success:
            self.acknowledged.append(name)
        return answer.is_success


@contextmanager
def cutting(disk: Disk, process: psutil.Process, seconds: float) -> Iterator[None]:
    """The power fails so many seconds from now, unless something else ended the block before."""

    def cut() -> None:
        family = [*process.children(recursive=True), process]
        disk.cut()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()

    timer = threading.Timer(seconds, cut)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def check_present(disk: Disk, sender: Sender) -> None:
    """Each has its row, and the bytes that were sent."""
    found = dict(asked(disk.surroundings, PRESENT))
    assert not set(sender.acknowledged) - set(found)
    for name in sender.acknowledged:
        [stored] = (disk.at / "data" / "blobs").glob(f"*/*/{found[name]}")
        assert stored.read_text() == text_of(int(name[:3]))


def settle(disk: Disk) -> None:
    """Until there is nothing left to do, for files as for the index."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while (left := asked(disk.surroundings, LEFT)[0][0]) > 0:
        assert time.monotonic() < deadline, f"{left} jobs are stuck"
        time.sleep(0.5)


def check_searchable(client: httpx.Client, sender: Sender) -> None:
    for name in sender.acknowledged:
        found = client.get(f"/matters/{sender.matter}/search", params={"q": f"berth{int(name[:3])}"}).json()
        assert name in {row["document"] for row in found["results"]}, name


@contextmanager
def again(disk: Disk, first: Service) -> Iterator[tuple[Service, httpx.Client]]:
    """The service once more, with the token that it gave out before the first cut."""
    with (
        serving(disk.surroundings, make_token=False) as service,
        replace(service, token=first.token).client as client,
    ):
        yield service, client


def until_cut(disk: Disk, first: Service, sender: Sender, seconds: float) -> None:
    with suppress(psutil.NoSuchProcess), again(disk, first) as (service, client):
        check_present(disk, sender)
        with cutting(disk, service.process, seconds):
            sender.send(client)
    disk.unmount()
    disk.mount()


def test_what_was_acknowledged_before_a_power_cut_is_there_after_it(disk):
    chance = random.Random(11)  # noqa: S311 - the same moments every time
    with serving(disk.surroundings) as first, first.client as client:
        sender = Sender(client.post("/matters", json={"name": "Berths"}).json()["id"])
    for _ in range(CUTS):
        until_cut(disk, first, sender, chance.uniform(0.5, LATEST_SECONDS))
    assert len(sender.acknowledged) > CUTS
    check_present(disk, sender)
    manage(disk.surroundings, "reconcile", "--young", "0")
    with again(disk, first) as (_, client):
        settle(disk)
        check_searchable(client, sender)
    assert asked(disk.surroundings, "SELECT DISTINCT state FROM knowledge_version") == [("searchable",)]


WRITER = """
import os, random, sys, numpy as np
from pathlib import Path
from uuid import UUID, uuid4
from knowledge.index import IndexConfig, Point
from knowledge.index.edge import EdgeIndex
path, matter, chance = Path(sys.argv[1]), UUID(sys.argv[2]), random.Random(int(sys.argv[3]))
index = EdgeIndex(IndexConfig(path, 8))
vectors = np.eye(8, dtype=np.float32)
while True:
    made = [Point(uuid4(), vectors[i % 8], f"word {i}", matter, uuid4(), uuid4()) for i in range(20)]
    index.upsert(made)
    index.delete_version(made[0].version_id)
    index.flush()
    print(made[0].id, *(point.id for point in made[1:]), flush=True)
    files = [file for file in index._path.rglob("*") if file.is_file()]
    for file in chance.sample(files, 5):  # as the system writes back what it likes, when it likes
        with file.open("rb") as written:
            os.fsync(written.fileno())
    if chance.random() < 0.3:
        index.build()
"""


def write_until_cut(disk: Disk, matter: UUID, turn: int) -> list[list[str]]:
    """What the writer had flushed when the power failed: each a point that was deleted, and those kept."""
    words = [sys.executable, "-c", WRITER, str(disk.at / "index"), str(matter), str(turn)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
        flushed = [writer.stdout.readline()]
        with cutting(disk, psutil.Process(writer.pid), 0.5 + 0.7 * turn):
            flushed += list(writer.stdout)
    disk.unmount()
    disk.mount()
    return [line.split() for line in flushed if line.endswith("\n")]


def test_what_was_flushed_into_an_index_before_a_power_cut_is_in_it_after_it(disk):
    matter, deleted, kept = uuid4(), set(), set()
    for turn in range(max(CUTS, 4)):
        for gone, *points in write_until_cut(disk, matter, turn):
            deleted.add(UUID(gone))
            kept |= set(map(UUID, points))
        index = EdgeIndex(IndexConfig(disk.at / "index", 8))
        found = set(index.ids(Where(frozenset({matter}))))
        index.close()
        assert kept <= found
        assert not deleted & found
