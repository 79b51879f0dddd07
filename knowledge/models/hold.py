"""Legal holds: while one stands, nothing of the matter can be deleted by any path."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from knowledge.models.matter import Matter


class Hold(models.Model):
    """Triggers refuse every deletion while it stands (knowledge.holds); lifting keeps the row."""

    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="holds")
    reason = models.TextField()
    since = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="holds_placed"
    )
    lifted = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-since"]

    def __str__(self) -> str:
        return f"hold on {self.matter}"
