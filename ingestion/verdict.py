"""What a document is worth after it was read: its state, and the note that explains it to people."""

from collections.abc import Sequence

from ingestion.parse.parsed import Page
from knowledge.models import Version

NAMED = 20  # pages; more are counted


def of(pages: Sequence[Page], notes: Sequence[str], *, has_attachments: bool) -> tuple[Version.State, str]:
    """The honest state, and why."""
    if not any(page.text.strip() for page in pages):
        if has_attachments:
            return Version.State.UNPACKED, " ".join(["Opened; what was inside is listed below it.", *notes])
        return Version.State.FAILED, " ".join(["No text could be read from this file.", *notes])
    unread = [page.label for page in sorted(pages, key=lambda page: page.number) if page.kind == "unreadable"]
    told = [*_unread(unread, len(pages)), *notes]
    return (Version.State.PARTIAL if told else Version.State.SEARCHABLE), " ".join(told)


def _unread(labels: Sequence[str], total: int) -> list[str]:
    if not labels:
        return []
    shown = ", ".join(labels[:NAMED]) + (" …" if len(labels) > NAMED else "")
    return [f"No text could be read from {len(labels)} of {total} pages: {shown}."]
