"""Messages to the workers. A message is a wake-up that carries one id; the row it names is the truth.

What knowledge asks of ingestion goes by task name, so that knowledge never imports it; a test proves that
each name below is a registered task.
"""

import logging
from functools import cache
from typing import Any
from uuid import UUID

from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis import RedisError

logger = logging.getLogger(__name__)

DELIVER = "ingestion.tasks.deliver"
WORK = "ingestion.tasks.work"
RECONCILE = "ingestion.tasks.reconcile"
TASKS = (DELIVER, WORK, RECONCILE)
QUEUE = "pincite"


def broker_url() -> str:
    """The broker's address: the configured one, or the socket of our own Valkey child."""
    return settings.REDIS_URL or f"redis+socket://{settings.BROKER_SOCKET}"


def configuration() -> dict[str, object]:
    """The Celery settings that the sender here and the workers share."""
    return {
        "broker_url": broker_url(),
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {"socket_connect_timeout": 2, "socket_timeout": 20},
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": QUEUE,
        "worker_hijack_root_logger": False,
        "worker_prefetch_multiplier": 1,
        "timezone": "UTC",
    }


def wake_after_commit(job_id: UUID) -> None:
    transaction.on_commit(lambda: wake(job_id))


def send(task: str) -> bool:
    """Ask the workers for a task that takes nothing; False when the broker is down."""
    try:
        _sender().send_task(task, retry=False)
    except OperationalError as error:
        logger.warning("The broker cannot be reached: %s", error)
        return False
    return True


def wake(job_id: UUID) -> bool:
    """Tell a worker that there is a job to do; False when the broker is down.

    Which job it takes is decided when it comes to it: matters take turns. A lost message costs seconds, never
    the job: the dispatcher finds due rows.
    """
    try:
        _sender().send_task(WORK, [str(job_id)], retry=False)
    except OperationalError as error:
        logger.warning("The broker cannot be reached (%s); job %s waits for the dispatcher.", error, job_id)
        return False
    return True


def waiting() -> int:
    """How many messages no worker has taken yet. Raises OperationalError when the broker is down."""
    with _sender().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        channel: Any = connection.default_channel  # Redis has a client, which the general type does not say
        try:
            return int(channel.client.llen(QUEUE))
        except RedisError as error:
            raise OperationalError(str(error)) from error


def is_reachable() -> bool:
    try:
        with _sender().connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except (OperationalError, ConnectionError, OSError):
        return False
    return True


@cache
def _sender() -> Celery:
    sender = Celery("pincite-sender", set_as_current=False)
    sender.conf.update(configuration())
    # A person waits behind a sender: it tries once, and quickly.
    sender.conf.broker_transport_options |= {"max_retries": 1, "interval_start": 0, "interval_max": 0}
    sender.conf.broker_connection_timeout = 1
    return sender
