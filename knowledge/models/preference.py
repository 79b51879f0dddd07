"""What a person wants read of a document, whatever the evidence."""

from django.conf import settings
from django.db import models

from knowledge.models.document import Document


class Preference(models.Model):
    """One person's wish for one document; it changes nobody else's answers."""

    class Kind(models.TextChoices):
        FULL = "full", "Always read in full"
        NEVER = "never", "Never read"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="preferences")
    kind = models.CharField(max_length=5, choices=Kind.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "document"], name="one_preference_per_document")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.document}: {self.get_kind_display()}"
