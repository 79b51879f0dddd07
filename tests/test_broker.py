"""The broker is only a bell: emptied or killed in the midst of the work, nothing is lost."""

import os
import signal
import threading
import time

import pytest
import redis
from django.conf import settings
from kombu.asynchronous import get_event_loop

from ingestion.broker import WRITES, Broker
from ingestion.service import running
from knowledge import documents
from knowledge.models import Job, Version
from tests.conftest import make_people

pytestmark = pytest.mark.django_db(transaction=True)
FILES = 40
SECONDS = 60


def upload(people, first: int) -> None:
    for number in range(first, first + FILES // 2):
        text = f"Lot {number} was delivered to the quay in good order on day {number}."
        documents.add(people.matter, f"{number}.txt", [text.encode()], people.owner)


def wait_until(condition, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, list(Job.objects.values_list("state", "reason"))
        time.sleep(0.1)


def done() -> int:
    return Version.objects.filter(state=Version.State.SEARCHABLE).count()


def flush(broker) -> None:
    with redis.Redis(unix_socket_path=str(settings.BROKER_SOCKET)) as client:
        client.flushall()


def kill(broker) -> None:
    os.kill(broker.pid, signal.SIGKILL)


@pytest.mark.parametrize("harm", [flush, kill])
def test_a_broker_that_loses_everything_costs_seconds(service, harm):
    people = make_people()
    upload(people, 0)
    wait_until(lambda: done() > 2)
    harm(service)
    upload(people, FILES // 2)
    wait_until(lambda: done() == FILES)
    assert Job.objects.exclude(state=Job.State.DONE).count() == 0
    assert Job.objects.count() == FILES


@pytest.mark.parametrize("seconds", [0.0, 0.7, 1.4, 2.1])
def test_nothing_of_a_worker_that_lost_its_broker_is_left_when_the_service_ends(seconds):
    """It may be connecting anew just then."""
    people = make_people()
    with running() as broker:
        upload(people, 0)
        wait_until(lambda: done() > 2)
        kill(broker)
        time.sleep(seconds)
    assert [thread.name for thread in threading.enumerate() if thread.name == "worker"] == []


def test_the_sockets_of_a_worker_are_closed_though_its_last_callback_fails():
    """As an acknowledgement does whose connection is gone."""
    calls = []

    def fail(hub) -> None:
        calls.append(hub)
        if len(calls) == 1:
            raise AttributeError("no connection")

    with running():
        wait_until(lambda: (hub := get_event_loop()) is not None and hub._waker is not None)
        hub = get_event_loop()
        sockets = [hub._waker.reader, hub._waker.writer]
        hub.on_close.add(fail)
    assert calls
    assert [socket.fileno() for socket in sockets] == [-1, -1]


@pytest.fixture
def broken(tmp_path):
    """A broker whose log of writes is not one."""
    made = Broker(tmp_path / "broker", settings.DATA_DIR / "broken.sock")
    made.start()
    made.stop()
    for path in (tmp_path / "broker" / WRITES).iterdir():
        path.write_bytes(bytes(1000))
    yield made
    made.stop()


def test_a_broker_that_cannot_read_what_a_power_cut_left_starts_empty(broken):
    broken.start()
    assert broken.pid is not None
