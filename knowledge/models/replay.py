"""The first response to a call with an idempotency key, given again when the same call comes again."""

from django.db import models

from knowledge.models.matter import Matter, Role


class Replay(models.Model):
    caller = models.CharField(max_length=40)  # the token, or the signed-in person
    route = models.CharField(max_length=300)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # of the body that came with it
    # What the response tells of: with the matter, or a document of it, the response goes.
    matter = models.ForeignKey(Matter, null=True, on_delete=models.CASCADE, related_name="replays")
    # The role in it that the call needed, and that its response is given again to.
    role = models.IntegerField(choices=Role.choices, default=Role.READER)
    status = models.PositiveIntegerField(null=True)  # None while the first call is at work
    content_type = models.CharField(max_length=100, blank=True)
    content = models.BinaryField(default=bytes)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "route", "key"], name="one_replay_per_call")]
        indexes = [models.Index(fields=["created"])]

    def __str__(self) -> str:
        return f"{self.key} of {self.caller} at {self.route}"
