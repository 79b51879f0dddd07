"""Mailboxes: every message becomes a document of its own."""

import mailbox
from contextlib import closing

from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import Attachment, File, Parsed, Refusal

MOST_MESSAGES = 20_000


def parse(file: File) -> Parsed:
    messages: list[Attachment] = []
    refused: list[Refusal] = []
    with closing(mailbox.mbox(str(file.path), create=False)) as box:
        for number, key in enumerate(box.iterkeys(), start=1):
            if number > MOST_MESSAGES:
                raise ParseError("bomb", f"The mailbox has more than {MOST_MESSAGES:,} messages.")
            content = box.get_bytes(key)
            if content.strip():
                messages.append(Attachment(f"message {number:05}.eml", content))
            else:
                refused.append(Refusal(f"message {number}", "It is empty."))
    if not messages:
        raise ParseError("damaged", "The mailbox has no messages.")
    return Parsed("application/mbox", attachments=tuple(messages), refused=tuple(refused))
