"""Uploads: what a person sent at one time, and files of it that are still on their way."""

import uuid

from django.conf import settings
from django.db import models

from knowledge.models.matter import Matter


class Upload(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="uploads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    custodian = models.CharField(max_length=200, blank=True)  # from whose files all of it was collected
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"upload of {self.created:%Y-%m-%d %H:%M}"


class Refused(models.Model):
    """A file of an upload that was not taken in at all."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="refused")
    path = models.CharField(max_length=500)
    reason = models.TextField()

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Transfer(models.Model):
    """A file that arrives in pieces, and goes on where it stopped when the connection drops."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="transfers")
    path = models.CharField(max_length=500)
    size = models.PositiveBigIntegerField()  # bytes announced
    offset = models.PositiveBigIntegerField(default=0)  # bytes that are durably here
    touched = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["upload", "path"], name="one_transfer_per_path")]

    def __str__(self) -> str:
        return f"{self.path}: {self.offset} of {self.size} bytes"
