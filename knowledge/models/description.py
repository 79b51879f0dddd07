"""What a file says about itself, in typed fields that lists, facets and filters can ask for."""

from django.db import models


class Kind(models.TextChoices):
    """What sort of file it is, as people say it."""

    PDF = "pdf", "PDF"
    WORD = "word", "Word document"
    SHEET = "sheet", "Spreadsheet"
    SLIDES = "slides", "Presentation"
    EMAIL = "email", "E-mail"
    MAILBOX = "mailbox", "Mailbox"
    WEB = "web", "Web page"
    PICTURE = "picture", "Picture"
    TEXT = "text", "Text"
    ARCHIVE = "archive", "Archive"
    OTHER = "other", "Other"


class Description(models.Model):
    """The fields of a version that say what it is, from whom and of when. Unknown is "" or null.

    | field | what it says | where it comes from |
    |---|---|---|
    | `kind` | what sort of file it is | its content |
    | `title` | its title, or the subject of an e-mail | the file |
    | `author` | who wrote it | the file's properties; of an e-mail its sender |
    | `custodian` | from whose files it was collected | said with the upload; attachments inherit it |
    | `date` | the one date to sort and filter by | `sent`, else `changed`, else `written` |
    | `sent` | when an e-mail was sent | its Date header |
    | `written`, `changed` | when the file was made and last changed | its properties |
    | `language` | of the most of its text, as ISO 639-1 ("en") | its text |
    | `page_count` | pages, or sheets, slides, parts | its pages |
    | `bates_first`, `bates_last` | the first and the last number stamped on its pages | `Page.bates` |
    | `message_id` | the identifier of an e-mail, without its brackets | its Message-ID header |
    | `thread` | the same for all messages of one conversation in the matter | `knowledge.threads` |

    Sender and recipients are rows: `version.correspondents` (`Correspondent`). What else the file says is in
    `metadata`, as text, for people to read.
    """

    kind = models.CharField(max_length=10, choices=Kind.choices, blank=True, db_index=True)
    title = models.CharField(max_length=500, blank=True)
    author = models.CharField(max_length=200, blank=True, db_index=True)
    custodian = models.CharField(max_length=200, blank=True, db_index=True)
    date = models.DateTimeField(null=True, db_index=True)
    sent = models.DateTimeField(null=True)
    written = models.DateTimeField(null=True)
    changed = models.DateTimeField(null=True)
    language = models.CharField(max_length=3, blank=True, db_index=True)
    page_count = models.PositiveIntegerField(default=0)
    bates_first = models.CharField(max_length=40, blank=True, db_index=True)
    bates_last = models.CharField(max_length=40, blank=True)
    message_id = models.CharField(max_length=200, blank=True, db_index=True)
    thread = models.CharField(max_length=32, blank=True, db_index=True)

    class Meta:
        abstract = True


class Correspondent(models.Model):
    """Somebody who sent or received an e-mail: one row for each name in its head."""

    class Role(models.TextChoices):
        SENDER = "from", "From"
        TO = "to", "To"
        COPY = "cc", "Cc"
        HIDDEN_COPY = "bcc", "Bcc"

    version = models.ForeignKey("Version", on_delete=models.CASCADE, related_name="correspondents")
    role = models.CharField(max_length=4, choices=Role.choices)
    name = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=254, blank=True, db_index=True)  # in lower case

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["role", "address"])]

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name and self.address else self.name or self.address
