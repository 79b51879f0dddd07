"""The embedded service: broker child, worker and scheduler of this process, for as long as it is open.

The embedded index has one owner process, so everything that reads or writes it lives in that process.
"""

import fcntl
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from celery.worker import WorkController, state
from django.conf import settings

from ingestion import places, sandbox
from ingestion.broker import Broker
from ingestion.celery import DISPATCH_SECONDS, RECONCILE_SECONDS, app
from ingestion.tasks import dispatch, notice, reconcile_all, restore
from knowledge import engines, jobs

logger = logging.getLogger(__name__)

RESTART_SECONDS = 1.0  # before a worker that broke is replaced
LONGEST_END_SECONDS = 60.0  # then a worker that hangs is left behind
END_SECONDS = 0.5  # between two looks whether parsers hold up the end
LOOK_SECONDS = 30.0  # between two looks whether the files of the index are still there


class AlreadyRunning(Exception):
    """Another process serves this data directory."""


@contextmanager
def running(*, broker: bool = settings.EMBEDDED_BROKER, work: bool = True) -> Iterator[Broker]:
    """Run the parts that are embedded; without `work` only own the data directory.

    Raises AlreadyRunning when another process owns it.
    """
    with ExitStack() as stack:
        stack.enter_context(_ownership(settings.DATA_DIR / "owner.lock"))
        stack.callback(engines.close)
        child = Broker(settings.BROKER_DIR, settings.BROKER_SOCKET)
        if broker and work:
            child.start()
            stack.callback(child.stop)
        if work:
            sandbox.protections()
            if not settings.INDEX.url:  # the embedded index has one owner: nobody else can be working
                jobs.release_interrupted()
            stack.enter_context(_worker())
            stack.enter_context(_scheduler(child))
        yield child


def is_owned() -> bool:
    """Whether a process serves this data directory now."""
    try:
        with _ownership(settings.DATA_DIR / "owner.lock"):
            return False
    except AlreadyRunning:
        return True


@contextmanager
def _ownership(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"Another process is already serving {settings.DATA_DIR}.") from None
        yield


@contextmanager
def _worker() -> Iterator[None]:
    """A Celery worker with a pool of threads, in this process; one that ends by itself is replaced."""
    stop = threading.Event()
    thread = threading.Thread(target=_work, args=(stop,), name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # The worker reads this and ends in its own thread. Stopped from another one while it connects anew,
        # it would go on, with sockets that nobody closes.
        state.should_stop = 0  # type: ignore[assignment]  # untyped, its own signal handlers do this
        latest = time.monotonic() + LONGEST_END_SECONDS
        while thread.is_alive() and time.monotonic() < latest:
            sandbox.stop_all()  # also those that begin while it ends
            thread.join(timeout=END_SECONDS)
        state.should_stop = None


def _work(stop: threading.Event) -> None:
    while not stop.is_set():
        worker = WorkController(
            app=app, pool_cls="threads", concurrency=settings.WORKERS * places.THREADS_EACH,
            loglevel="WARNING", without_mingle=True, without_gossip=True, without_heartbeat=True,
        )  # fmt: skip
        try:
            worker.start()  # returns when it was stopped, or when it broke, which it has then logged
        except Exception:  # whatever it was: a thread that dies of it would leave every job stranded
            logger.exception("The worker could not start")
        finally:
            _close_loop(worker)
        if not stop.wait(RESTART_SECONDS):
            logger.error("The worker ended by itself and is replaced.")


def _close_loop(worker: WorkController) -> None:
    """Close the sockets of the worker's event loop, where a callback that failed kept the worker from it.

    Each callback is called once, so the second time there is none left that could fail.
    """
    loop: Any = worker.hub  # which the stubs take for the step that makes it
    for _ in range(2):
        with suppress(Exception):
            loop.close()


@contextmanager
def _scheduler(broker: Broker) -> Iterator[None]:
    """The scheduled tasks in this process; a separate deployment runs `celery beat` instead."""
    stop = threading.Event()
    thread = threading.Thread(target=_tick, args=(stop, broker), name="scheduler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def _tick(stop: threading.Event, broker: Broker) -> None:
    reconciled = looked = time.monotonic()
    while not stop.wait(DISPATCH_SECONDS):
        try:
            broker.ensure()
            dispatch()
            notice()
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                restore()
            if time.monotonic() - reconciled > RECONCILE_SECONDS:
                reconciled = time.monotonic()
                reconcile_all()
        except Exception:  # a scheduler that dies of one bad tick would strand every later job
            logger.exception("A scheduled task failed")
