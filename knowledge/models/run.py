"""Runs: a question that a worker goes through in many steps, with what came of each.

A run over every document has a verdict for each; research has steps. What either found are findings: pins.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce

from inference.generator import Usage
from knowledge.models.document import Document, Version
from knowledge.models.matter import Matter


class Run(models.Model):
    class Kind(models.TextChoices):
        EVERY = "every", "Every document"  # one question to each document of a selection
        RESEARCH = "research", "Research"  # one question in several searches, and a report

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        PROCESSING = "processing", "At work"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.WAITING, State.PROCESSING, State.PAUSED)
    WORKING = (State.WAITING, State.PROCESSING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="runs")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs")
    question = models.TextField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    note = models.TextField(blank=True)  # why it failed or ended early, for people
    # Only these documents, as ids; None: every document of the matter.
    documents = models.JSONField(null=True)
    # {"documents": n, "passages": n, "seconds": s}: what was expected before it began.
    estimate = models.JSONField(default=dict)
    # [{"heading": text, "lines": [{"text": …, "findings": [numbers]}]}, …]: what research wrote in the end.
    report = models.JSONField(default=list)
    # The generator that was asked; "": none was, or none answered.
    model = models.CharField(max_length=200, blank=True)
    prompt_tokens = models.PositiveBigIntegerField(null=True)  # that it was given; None: it was not asked
    cached_tokens = models.PositiveBigIntegerField(null=True)  # of these, what it had read before
    seconds = models.FloatField(default=0)  # of work, without what it waited
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.question[:80]

    def add(self, seconds: float, model: str, usage: Usage) -> None:
        """Count work on it, and what a generator read for it; `model` is "" where none was asked."""
        more: dict[str, Any] = {"seconds": F("seconds") + seconds}
        if model:
            more["model"] = model
        for name, tokens in (("prompt_tokens", usage.prompt_tokens), ("cached_tokens", usage.cached_tokens)):
            if tokens is not None:
                more[name] = Coalesce(F(name), 0) + tokens
        Run.objects.filter(pk=self.pk).update(**more)

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def is_working(self) -> bool:
        return self.state in self.WORKING

    @property
    def is_over_every_document(self) -> bool:
        return self.kind == self.Kind.EVERY


class Verdict(models.Model):
    """What one document of a run says to its question."""

    class Value(models.TextChoices):
        YES = "yes", "Yes"
        NO = "no", "No"
        UNDECIDED = "undecided", "Undecided"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="verdicts")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="verdicts")
    version = models.ForeignKey(Version, on_delete=models.CASCADE)  # the one that is read
    number = models.PositiveIntegerField()
    value = models.CharField(max_length=10, choices=Value.choices, blank=True)  # "": not looked at yet
    score = models.FloatField(null=True)  # 0 to 1: how likely it is a yes, as the machine sees it
    note = models.TextField(blank=True)  # why it is undecided, and what the generator said, for people
    passages = models.PositiveIntegerField(default=0)  # that were looked through
    seconds = models.FloatField(default=0)
    # The generator that answered because the sentences left it open; "": none was asked, or it failed.
    model = models.CharField(max_length=200, blank=True, db_default="")
    prompt_tokens = models.PositiveIntegerField(null=True)  # that it was given
    cached_tokens = models.PositiveIntegerField(null=True)  # of these, what it had read before
    generator_seconds = models.FloatField(null=True)  # of `seconds`, those that it took
    tries = models.PositiveIntegerField(default=0)  # a document on which workers die is not tried for ever
    # How often its run came back later because the generator was down or busy.
    waits = models.PositiveIntegerField(default=0, db_default=0)
    settled = models.CharField(max_length=10, choices=Value.choices, blank=True)  # by a person
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "document"], name="one_verdict_per_document")]
        indexes = [models.Index(fields=["run", "value"])]

    def __str__(self) -> str:
        return f"{self.document}: {self.effective or 'not looked at yet'}"

    @property
    def effective(self) -> str:
        """What counts: the person's word, else the machine's."""
        return self.settled or self.value

    @property
    def label(self) -> str:
        return self.Value(self.effective).label if self.effective else "Not looked at yet"


class Step(models.Model):
    """Something that research did, in order; the stream of a run is its steps."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12)  # plan, search, finding, gap, write, done, problem
    data = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_step_per_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.kind}"


class Finding(models.Model):
    """A quote: the source's own words at a page and span of one immutable version."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="findings")
    verdict = models.ForeignKey(Verdict, null=True, on_delete=models.CASCADE, related_name="findings")
    number = models.PositiveIntegerField()  # in its run, or in its verdict
    version = models.ForeignKey(Version, on_delete=models.CASCADE)
    page = models.PositiveIntegerField()
    page_label = models.CharField(max_length=200)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    quote = models.TextField()  # == version.text()[start:end], checked when stored
    score = models.FloatField(default=0)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.version} p. {self.page_label}: {self.quote[:60]}"
