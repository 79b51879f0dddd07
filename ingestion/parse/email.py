"""E-mail: the headers people read, the body as text, attachments as documents of their own."""

import email.policy
import mimetypes
from email.message import EmailMessage, Message
from email.parser import BytesParser

from ingestion.parse import html, plain
from ingestion.parse.parsed import Attachment, File, Page, Parsed, Refusal

HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject")
MOST_PARTS = 1_000


def parse(file: File) -> Parsed:
    message = BytesParser(policy=email.policy.default).parsebytes(file.path.read_bytes())
    headers = {header: _header(message, header) for header in HEADERS}
    shown = "\n".join(f"{header}: {value}" for header, value in headers.items() if value)
    bodies, attachments, refused = _parts(message)
    text = plain.clean("\n\n".join([shown, *bodies]))
    pages = plain.numbered(list(plain.parts(text)))
    if len(pages) == 1:
        pages = (Page(1, "e-mail", pages[0].text),)
    metadata = {header.lower(): value for header, value in headers.items() if value}
    metadata["message-id"] = _header(message, "Message-ID")
    metadata["in-reply-to"] = _header(message, "In-Reply-To")
    metadata["references"] = _header(message, "References")
    return Parsed(
        "message/rfc822",
        pages,
        title=headers["Subject"],
        metadata={key: value for key, value in metadata.items() if value},
        attachments=tuple(attachments),
        refused=tuple(refused),
    )


def _header(message: Message, name: str) -> str:
    try:
        return plain.clean(" ".join(str(message.get(name, "")).split()))
    except (ValueError, IndexError, AttributeError, LookupError):
        # The header parser of the standard library stumbles over some malformed addresses and dates.
        return ""


def _parts(message: EmailMessage) -> tuple[list[str], list[Attachment], list[Refusal]]:
    """Texts of the body, attachments, and what could not be decoded. Of alternatives plain text is the body;
    what is attached inside the others is taken all the same.
    """
    bodies: list[str] = []
    attachments: list[Attachment] = []
    refused: list[Refusal] = []
    waiting: list[tuple[Message, bool]] = [(message, True)]
    seen = 0
    while waiting and seen < MOST_PARTS:
        (part, is_body), seen = waiting.pop(0), seen + 1
        kind = part.get_content_type()
        if kind == "message/rfc822" and seen > 1:
            attachments += _nested(part, len(attachments))
        elif kind == "multipart/alternative":
            best = _best_alternative(part)
            waiting[:0] = [(child, is_body and child is best) for child in _children(part)]
        elif part.is_multipart():
            waiting[:0] = [(child, is_body) for child in _children(part)]
        elif _is_text(part):
            bodies += [_text(part)] if is_body else []
        else:
            _attach(part, attachments, refused)
    if waiting:
        refused.append(Refusal("the rest of the message", f"It has more than {MOST_PARTS:,} parts."))
    return [body for body in bodies if body.strip()], attachments, refused


def _children(part: Message) -> list[Message]:
    return [child for child in part.get_payload() if isinstance(child, Message)]


def _is_text(part: Message) -> bool:
    """A text to be read in the message, not a file that came with it."""
    is_file = part.get_content_disposition() == "attachment" or part.get_filename()
    return part.get_content_type() in {"text/plain", "text/html"} and not is_file


def _best_alternative(part: Message) -> Message | None:
    children = _children(part)
    for child in children:
        if child.get_content_type() == "text/plain" and _text(child).strip():
            return child
    return children[-1] if children else None


def _nested(part: Message, number: int) -> list[Attachment]:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        return []
    subject = _header(inner, "Subject") or f"message {number + 1}"
    return [
        Attachment(f"{subject.replace('/', '-')[:120]}.eml", inner.as_bytes(policy=email.policy.compat32))
    ]


def _attach(part: Message, attachments: list[Attachment], refused: list[Refusal]) -> None:
    kind = part.get_content_type()
    unnamed = f"attachment {len(attachments) + 1}{mimetypes.guess_extension(kind) or ''}"
    name = part.get_filename() or unnamed
    content = part.get_payload(decode=True)
    if isinstance(content, bytes) and content.strip():
        attachments.append(Attachment(name, content))
    else:
        refused.append(Refusal(name, "The attachment is empty or cannot be decoded."))


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(part.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        text = plain.decode(content)
    return html.to_text(text) if part.get_content_type() == "text/html" else text
