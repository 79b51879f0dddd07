"""The Celery app of the workers: `celery -A ingestion.celery worker`, `celery -A ingestion.celery beat`."""

import os

import django
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "knowledge.settings")
django.setup()

from knowledge import queue  # noqa: E402 - needs the settings

DISPATCH_SECONDS = 5.0
RECONCILE_SECONDS = 3600.0

app = Celery("pincite", include=["ingestion.tasks"])
app.conf.update(queue.configuration())
app.conf.update(
    # A killed worker's jobs come back by their lease, not by the broker: acknowledge early, never loop.
    task_acks_late=False,
    beat_schedule={
        "dispatch": {"task": "ingestion.tasks.dispatch", "schedule": DISPATCH_SECONDS},
        "notice": {"task": "ingestion.tasks.notice", "schedule": DISPATCH_SECONDS},
        "restore": {"task": "ingestion.tasks.restore", "schedule": 30.0},
        "reconcile": {"task": queue.RECONCILE, "schedule": RECONCILE_SECONDS},
    },
)
