"""Generations of the index: the one that serves, and one that may be building beside it."""

from django.db import models

from knowledge.models.document import Version


class Generation(models.Model):
    """One build of the index, with all that its passages and vectors depend on."""

    class State(models.TextChoices):
        BUILDING = "building", "Building"
        CURRENT = "current", "Current"
        RETIRED = "retired", "Retired"

    number = models.PositiveIntegerField(primary_key=True)
    state = models.CharField(max_length=10, choices=State.choices)
    embedder_url = models.CharField(max_length=500, blank=True)  # "": in this process
    embedder_model = models.CharField(max_length=500, blank=True)  # "": the default model
    dimensions = models.PositiveIntegerField()
    chunk_characters = models.PositiveIntegerField()
    chunk_overlap = models.PositiveIntegerField()
    # What a point holds: 1 passages, 2 also what their document is called, 3 vectors without the headings,
    # 4 a field of their own for the points with names.
    form = models.PositiveSmallIntegerField(default=1)
    created = models.DateTimeField(auto_now_add=True)
    switched = models.DateTimeField(null=True)  # when it became current, or was retired

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=~models.Q(state="retired"), name="one_current_one_building"
            )
        ]

    def __str__(self) -> str:
        return f"generation {self.number} ({self.state})"


class Indexed(models.Model):
    """This version is in this generation with all its passages."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="indexed")
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="indexed")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "generation"], name="indexed_once")]

    def __str__(self) -> str:
        return f"{self.version} in {self.generation}"
