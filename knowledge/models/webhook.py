"""Webhooks of a matter, and their deliveries. The delivery's row is the truth about what was sent."""

import base64
import hashlib
import hmac
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from knowledge.models.matter import Matter


class Webhook(models.Model):
    class Event(models.TextChoices):
        DOCUMENT_DONE = "document.done", "A document has been processed"
        DOCUMENT_FAILED = "document.failed", "A document could not be processed"
        ANSWER_DONE = "answer.done", "An answer is complete"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=500)
    events = models.JSONField(default=list)
    # Nothing is sent when this person does not manage the matter any more.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.url

    @property
    def secret(self) -> str:
        """The key that signs; made from the installation's own key, so that no table holds it."""
        made = hmac.new(settings.SECRET_KEY.encode(), f"webhook {self.pk}".encode(), hashlib.sha256)
        return "whsec_" + base64.b64encode(made.digest()).decode()


class Delivery(models.Model):
    class State(models.TextChoices):
        DUE = "due", "Due"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=20, choices=Webhook.Event.choices)
    subject = models.UUIDField()  # the job or the answer that it tells of
    data = models.JSONField(
        default=dict
    )  # ids and states only: who receives it asks for the rest with a token
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    status = models.PositiveIntegerField(null=True)  # of the last response
    reason = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created"]
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["webhook", "subject"], name="one_delivery_per_event")]
        indexes = [models.Index(fields=["state", "due_at"])]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
