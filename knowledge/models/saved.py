"""Searches that a person keeps to run again."""

import uuid

from django.conf import settings
from django.db import models

from knowledge.models.matter import Matter


class SavedSearch(models.Model):
    """A query in the query language, under a name; everybody has their own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="saved_searches")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_searches"
    )
    name = models.CharField(max_length=100)
    query = models.TextField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["matter", "user", "name"], name="one_search_per_name")]

    def __str__(self) -> str:
        return self.name
