"""Outlook messages, shown like any other e-mail."""

from collections.abc import Iterator
from typing import Any

from oxmsg import Message

from ingestion.parse import html, plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import Attachment, File, Page, Parsed, Refusal

RECIPIENT_TYPE, MESSAGE_ID = 0x0C15, 0x1035  # numbers of properties in MS-OXPROPS
ROLES = {2: "Cc", 3: "Bcc"}
TECHNICAL = ("Message-ID", "In-Reply-To", "References")


def parse(file: File) -> Parsed:
    try:
        message = Message.load(str(file.path))
        return _parsed(message)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, OSError, LookupError) as error:
        # What the library raises on a broken container is whatever the missing piece provokes.
        raise ParseError("damaged", "The Outlook message is damaged: save it again.") from error


def _parsed(message: Message) -> Parsed:
    headers = {
        "From": message.sender or "",
        **{role: ", ".join(_recipients(message, role)) for role in ("To", "Cc", "Bcc")},
        "Date": message.sent_date.isoformat() if message.sent_date else "",
        "Subject": message.subject or "",
    }
    shown = "\n".join(f"{header}: {value}" for header, value in headers.items() if value)
    body = message.body or html.to_text(message.html_body or "")
    pages = plain.numbered(list(plain.parts(plain.clean(f"{shown}\n\n{body}"))))
    if len(pages) == 1:
        pages = (Page(1, "e-mail", pages[0].text),)
    attachments, refused = [], []
    for number, item in enumerate(message.attachments, start=1):
        name = item.file_name or f"attachment {number}"
        if item.file_bytes:
            attachments.append(Attachment(name, item.file_bytes))
        else:
            refused.append(Refusal(name, "The attachment is empty or cannot be decoded."))
    technical = {name: message.message_headers.get(name, "") for name in TECHNICAL}
    technical["Message-ID"] = technical["Message-ID"] or message.properties.str_prop_value(MESSAGE_ID) or ""
    metadata = {name.lower(): plain.clean(value) for name, value in {**headers, **technical}.items() if value}
    return Parsed(
        "application/vnd.ms-outlook", pages, headers["Subject"], metadata, tuple(attachments), tuple(refused)
    )


def _recipients(message: Any, role: str) -> Iterator[str]:
    for recipient in message.recipients:
        if ROLES.get(recipient.properties.int_prop_value(RECIPIENT_TYPE), "To") == role:
            address, name = recipient.email_address, recipient.name.replace('"', "'")
            yield f'"{name}" <{address}>' if name and address and name != address else address or name
