"""One unit of background work. The row is the truth; a message is only a wake-up that carries its id."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from knowledge.models.document import Version
from knowledge.models.matter import Matter
from knowledge.models.run import Run

ATTEMPTS = 3


class Job(models.Model):
    class Kind(models.IntegerChoices):
        """In the order in which a matter's jobs are taken."""

        RUN = 0, "Run"  # a person waits for it, and it gives its turn back every few seconds
        INGEST = 1, "Ingest"  # bytes become passages
        INDEX = 2, "Index"  # stored pages become points of another generation
        WARM = 3, "Read ahead"  # the generator reads a document before anybody asks

    class State(models.TextChoices):
        DUE = "due", "Due"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.PositiveSmallIntegerField(choices=Kind.choices, default=Kind.INGEST)
    # What it is about: a version, or a run.
    version = models.ForeignKey(Version, null=True, on_delete=models.CASCADE, related_name="jobs")
    run = models.ForeignKey(Run, null=True, on_delete=models.CASCADE, related_name="jobs")
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="jobs")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    interruptions = models.PositiveIntegerField(default=0)  # how often the service ended in the midst of it
    due_at = models.DateTimeField(default=timezone.now)
    # A running job belongs to whoever holds its newest fence, until the lease runs out.
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    password = models.CharField(
        max_length=200, blank=True
    )  # of an encrypted file; forgotten with the job's end
    stage = models.CharField(max_length=20, blank=True)
    progress = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created"]
        indexes = [models.Index(fields=["state", "due_at"]), models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return f"{self.state} job of {self.version or self.run}"

    @property
    def percent(self) -> int:
        return round(100 * self.progress / self.total) if self.total else 0
