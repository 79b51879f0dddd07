"""Outlook messages, shown like any other e-mail."""

from oxmsg import Message

from ingestion.parse import html, plain
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import Attachment, File, Page, Parsed, Refusal


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
        "To": "; ".join(str(recipient.email_address) for recipient in message.recipients),
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
    metadata = {header.lower(): value for header, value in headers.items() if value}
    return Parsed(
        "application/vnd.ms-outlook", pages, headers["Subject"], metadata, tuple(attachments), tuple(refused)
    )
