"""The audit: a chain of events that is only ever added to, what was said in them, and its signed anchors."""

from django.db import models


class AuditEvent(models.Model):
    """Who did what, where. Triggers refuse every change; no foreign key, so that it outlives its subject.

    `digest` is SHA-256 over the canonical JSON of all the rest, with the digest of the event before.
    """

    class Act(models.TextChoices):
        READ = "read", "Read"
        SEARCH = "search", "Searched"
        QUESTION = "question", "Asked"
        ANSWER = "answer", "Answer written"
        EXPORT = "export", "Exported"
        DENIED = "denied", "Denied"
        ADD = "add", "Added"
        CHANGE = "change", "Changed"
        DELETE = "delete", "Deleted"
        PERMISSION = "permission", "Changed who may see"
        ADMIN = "admin", "Administered"
        FACTOR = "factor", "Changed a second factor"
        SIGN_IN = "sign-in", "Signed in"
        SIGN_OUT = "sign-out", "Signed out"
        REFUSED = "refused", "Sign-in refused"

    sequence = models.BigIntegerField(primary_key=True)  # 1, 2, 3, … without a gap
    at = models.DateTimeField()
    person_id = models.BigIntegerField(null=True)  # None: a command, or nobody who is known
    person = models.CharField(max_length=150)
    via = models.CharField(max_length=20)  # "session", "token", "service account", "command"
    address = models.CharField(max_length=64, blank=True)
    act = models.CharField(max_length=12, choices=Act.choices)
    matter_id = models.UUIDField(null=True)
    subject = models.CharField(max_length=200, blank=True)  # "document:<id>", "route:<name>", …
    details = models.JSONField(default=dict)  # ids, numbers and names of roles; never what a matter says
    commitment = models.CharField(max_length=64, blank=True)  # of the AuditText, if there is one
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["sequence"]
        indexes = [
            models.Index(fields=["matter_id", "sequence"]),
            models.Index(fields=["person_id", "sequence"]),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.person} {self.act} {self.subject}"


class AuditText(models.Model):
    """What was asked or named in an event: the matter's own words, so they go when the matter goes.

    The event keeps SHA-256 of salt and text: what is kept here cannot be changed unnoticed, and what has gone
    cannot be guessed from it.
    """

    event = models.OneToOneField(AuditEvent, on_delete=models.DO_NOTHING, related_name="said")
    matter_id = models.UUIDField(null=True, db_index=True)
    salt = models.CharField(max_length=32)
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:80]


class AuditAnchor(models.Model):
    """A signature over the chain up to one event: whoever holds a copy can prove a later cut."""

    sequence = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    signature = models.CharField(max_length=128)  # Ed25519, hex

    class Meta:
        ordering = ["sequence"]

    def __str__(self) -> str:
        return f"anchor at {self.sequence}"
