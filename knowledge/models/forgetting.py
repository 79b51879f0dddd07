"""What the generator is still to forget: a row of the transaction that deletes something of a matter."""

from django.db import models


class Forgetting(models.Model):
    matter_id = models.UUIDField()  # no key: the matter itself may be what is deleted
    created = models.DateTimeField(auto_now_add=True)
    tries = models.PositiveIntegerField(default=0)  # that failed
    failed = models.DateTimeField(null=True)  # the last of them

    def __str__(self) -> str:
        return f"{self.matter_id}, {self.tries} tries"
