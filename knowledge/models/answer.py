"""An answer, the evidence that was in its prompt, and the citations that were checked against it."""

import uuid

from django.conf import settings
from django.db import models

from knowledge.models.document import Version
from knowledge.models.matter import Matter

CAUTION = (
    "The sources may not answer this. The question seems to ask about “{}”, and no sentence of the documents"
    " quoted is worded as such a clause usually is. These are the closest: read them before relying on an"
    " answer, or on there being none."
)


class Answer(models.Model):
    class State(models.TextChoices):
        READY = "ready", "Evidence found"  # retrieved and planned, nothing generated yet
        GENERATING = "generating", "Being written"
        DONE = "done", "Done"
        NOTHING = "nothing", "Nothing relevant found"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="answers")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="answers")
    question = models.TextField()
    # The answer whose reader asked this next. Several may follow one: a conversation is the way back up.
    follows = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="followed_by")
    # Whether its prompt goes on with that of the answer it follows, or begins anew.
    goes_on = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=State.choices, default=State.READY)
    # [{"text": sentence, "citations": [numbers], …}, …]: what is shown, as knowledge.draft makes it.
    sentences = models.JSONField(default=list)
    said = models.TextField(blank=True)  # what the model wrote, as it stands in the prompt of what follows
    plan = models.JSONField(default=dict)  # as knowledge.reading.told() makes it
    reason = models.TextField(blank=True)  # why it failed, found nothing, or was cut off
    model = models.CharField(max_length=200, blank=True)
    claimed = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)  # of the prompt, served from the cache
    seconds_to_first_token = models.FloatField(null=True)
    seconds = models.FloatField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.question[:80]

    @property
    def caution(self) -> str:
        """Said beside the quotes where they may not answer the question; "" where nothing tells so."""
        kind = self.plan.get("unworded", "")
        return CAUTION.format(kind) if kind else ""

    @property
    def is_cut(self) -> bool:
        """Whether it came to the limit of its tokens before its end; `reason` says so."""
        return self.state == self.State.DONE and bool(self.reason)


class Evidence(models.Model):
    """A span of a document that this answer added to its prompt: a passage, or the whole document."""

    class Kind(models.TextChoices):
        PASSAGE = "passage", "Passage"
        FULL = "full", "Whole document"

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="evidence")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    version = models.ForeignKey(Version, on_delete=models.CASCADE)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    heading = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["answer", "number"], name="one_evidence_per_number")]

    def __str__(self) -> str:
        return f"[{self.number}] {self.version}"


class Citation(models.Model):
    """A pin cite: the source's own words at a page and span of one immutable version."""

    class Origin(models.TextChoices):
        KEY = "key", "Key passage"  # quoted by us before anything is generated
        TEXT = "text", "Cited in the text"

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="citations")
    number = models.PositiveIntegerField()
    origin = models.CharField(max_length=4, choices=Origin.choices)
    version = models.ForeignKey(Version, on_delete=models.CASCADE)
    page = models.PositiveIntegerField()
    page_label = models.CharField(max_length=200)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    quote = models.TextField()  # == version.text()[start:end], checked when stored
    score = models.FloatField(default=0)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["answer", "number"], name="one_citation_per_number")]

    def __str__(self) -> str:
        return f"[{self.number}] {self.version} p. {self.page_label}"
