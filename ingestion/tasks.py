"""The tasks. Each takes an id at most, re-reads the row, and may run twice."""

import logging

from celery import shared_task
from django.db import connections
from kombu.exceptions import OperationalError

from ingestion import pipeline, places
from knowledge import audit, forgetting, generations, jobs, purge, queue, reconcile, uploads, webhooks
from knowledge.api import idempotency
from knowledge.index import IndexUnavailable

logger = logging.getLogger(__name__)

DISPATCH_AT_ONCE = 200
DELIVER_SECONDS = 30.0


@shared_task(name=queue.WORK)
def work(job_id: str = "") -> None:  # noqa: ARG001 - the id says why the message was sent, for its log
    """Do the job whose turn it is; there is one message for each, so each gets done."""
    try:
        with places.held():
            lease = jobs.claim_next()
            if lease is not None:
                pipeline.work(lease)
    finally:
        connections.close_all()  # the thread lives on in the pool, and may idle for hours


@shared_task(name="ingestion.tasks.dispatch")
def dispatch() -> None:
    """Wake workers for due jobs whose message was lost, and for jobs whose worker went silent."""
    try:
        generations.advance()
        due = list(jobs.claimable().order_by("due_at").values_list("pk", flat=True)[:DISPATCH_AT_ONCE])
    finally:
        connections.close_all()
    try:
        unanswered = due[queue.waiting() :] if due else []
    except (OperationalError, ConnectionError, OSError) as error:
        logger.warning("The broker cannot be reached (%s); %d jobs wait.", error, len(due))
        return
    for job_id in unanswered:
        if not queue.wake(job_id):
            return


@shared_task(name="ingestion.tasks.notice")
def notice() -> None:
    """Find what webhooks are to be told of, and wake a worker if something is to be sent."""
    try:
        webhooks.notice()
        is_due = webhooks.due().exists()
    finally:
        connections.close_all()
    if is_due:
        queue.send(queue.DELIVER)


@shared_task(name=queue.DELIVER)
def deliver() -> None:
    """Send to webhooks what is due."""
    try:
        webhooks.deliver(DELIVER_SECONDS)
    finally:
        connections.close_all()


@shared_task(name=queue.RECONCILE)
def reconcile_all() -> None:
    """Compare rows, stored files and index on a schedule, and repair what differs."""
    try:
        generations.sweep()
        uploads.sweep()
        _purge()
        forgetting.sweep()
        audit.anchor()
        idempotency.sweep()
        webhooks.sweep()
        for finding in reconcile.run():
            logger.warning("Reconcile: %s", finding)
    finally:
        connections.close_all()


def _purge() -> None:
    """Where the index cannot be made anew now, the rest is done all the same, and this in the next round."""
    try:
        purge.run()
    except IndexUnavailable as error:
        logger.warning("What was deleted is still in the files of the index: %s", error)


@shared_task(name="ingestion.tasks.restore")
def restore() -> None:
    """Where the files of the index are gone, build it again from the rows."""
    try:
        generations.restore()
    finally:
        connections.close_all()
