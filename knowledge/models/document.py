"""Documents, their immutable versions, and what was read from each: pages and passages."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property

from knowledge.models.description import Description
from knowledge.models.matter import Matter

if TYPE_CHECKING:
    from knowledge.models.job import Job


class Document(models.Model):
    """One file of a matter, known by its path there. What it says is in its versions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="documents")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    root = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="family")
    depth = models.PositiveSmallIntegerField(default=0)  # 0 for what was uploaded itself
    path = models.CharField(max_length=500)
    created = models.DateTimeField(auto_now_add=True)
    # The version that search and answers read: the newest that became searchable.
    current = models.OneToOneField("Version", null=True, on_delete=models.SET_NULL, related_name="current_of")

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["matter", "path"], name="one_document_per_path")]

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @cached_property
    def latest(self) -> "Version":
        """The newest version, searchable or not."""
        return self.versions.order_by("-number")[0]


class Version(Description):
    """One immutable content of a document. Citations point here, for ever."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        PROCESSING = "processing", "Processing"
        SEARCHABLE = "searchable", "Searchable"
        PARTIAL = "partial", "Searchable in part"
        UNPACKED = "unpacked", "Unpacked"
        DUPLICATE = "duplicate", "Same file as another"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    class Reason(models.TextChoices):
        """Why it failed, in a word that lists can be filtered by; `note` is the sentence for people."""

        ENCRYPTED = "encrypted", "Asks for a password"
        DAMAGED = "damaged", "Damaged"
        UNSUPPORTED = "unsupported", "Of a type that cannot be read"
        EMPTY = "empty", "Empty"
        UNREADABLE = "unreadable", "No text could be read"
        TOO_LARGE = "too_large", "Too large"
        TOO_MANY_PAGES = "too_many_pages", "Too many pages"
        BOMB = "bomb", "Built to do harm"
        UNSAFE_ARCHIVE = "unsafe_archive", "Unsafe archive"
        TIMEOUT = "timeout", "Took too long"
        MEMORY = "memory", "Needed too much memory"
        CRASHED = "crashed", "Crashed its reader"
        GIVEN_UP = "given_up", "Given up after several tries"

    WORKING = (State.WAITING, State.PROCESSING)
    RETRIABLE = (State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=120, blank=True)
    metadata = models.JSONField(default=dict)
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    note = models.TextField(blank=True)  # why it failed or is searchable only in part, for people
    characters = models.PositiveIntegerField(default=0)
    # The first file of the matter with the same bytes; that one is read in place of this.
    same_as = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="copies")
    fingerprint = models.BigIntegerField(null=True)  # SimHash of the text
    near = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="near_copies")
    upload = models.ForeignKey("Upload", null=True, on_delete=models.SET_NULL, related_name="versions")
    created = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["document", "number"], name="one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.document} v{self.number}"

    @property
    def is_settled(self) -> bool:
        return self.state not in self.WORKING

    @cached_property
    def job(self) -> "Job | None":
        return self.jobs.order_by("-created").first()

    def text(self) -> str:
        """The whole text; the offsets of pages, passages and citations count its code points."""
        return "".join(self.pages.order_by("start", "number").values_list("text", flat=True))


class Likeness(models.Model):
    """A quarter of a version's fingerprint. Texts that are almost the same have one in common."""

    matter = models.ForeignKey(Matter, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="likenesses")
    key = models.PositiveIntegerField()  # which quarter, and its 16 bits

    class Meta:
        indexes = [models.Index(fields=["matter", "key"], name="likeness_in_matter")]

    def __str__(self) -> str:
        return f"{self.version} {self.key:x}"


class Page(models.Model):
    """A page, or the nearest equivalent: a sheet, an e-mail, a whole text file."""

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        OCR = "ocr", "Read by OCR"
        UNREADABLE = "unreadable", "Unreadable"

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=200)
    bates = models.CharField(max_length=40, blank=True)  # the number stamped on it
    kind = models.CharField(max_length=12, choices=Kind.choices)
    confidence = models.FloatField(null=True)  # of OCR, 0 to 1
    # Offset of its first character in the version's text. Scanned pages that were read after the others come
    # after them in the text, so that nothing already cited moves.
    start = models.PositiveIntegerField()
    text = models.TextField()
    # Characters of running head and foot at its two ends (knowledge/furniture.py).
    head = models.PositiveIntegerField(default=0)
    foot = models.PositiveIntegerField(default=0)
    width = models.FloatField(default=0)  # points
    height = models.FloatField(default=0)
    boxes = models.BinaryField(null=True)  # places of its words: knowledge.boxes

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["version", "number"], name="one_page_per_number")]

    def __str__(self) -> str:
        return f"{self.version} p. {self.label}"

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Passage(models.Model):
    """The unit of retrieval. Its id is the id of its point in the index."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="passages")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    page_first = models.PositiveIntegerField()
    page_last = models.PositiveIntegerField()
    heading = models.CharField(max_length=500, blank=True)
    text = models.TextField()  # == version.text()[start:end]
    generation = models.ForeignKey("Generation", on_delete=models.CASCADE, related_name="passages")
    # What was embedded, as a hash, and the result: the same text of a matter is embedded once.
    key = models.CharField(max_length=40)
    vector = models.BinaryField(null=True)  # float16 (dimensions,)

    class Meta:
        ordering = ["start"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "generation", "start", "end"], name="one_passage_per_span"
            )
        ]
        indexes = [models.Index(fields=["key"])]

    def __str__(self) -> str:
        return f"{self.version} [{self.start}:{self.end}]"
