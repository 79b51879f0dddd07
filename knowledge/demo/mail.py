"""A demo source as an e-mail file with its attachments."""

from email.message import EmailMessage
from email.policy import SMTP

from knowledge.demo.source import letter

TYPES = {
    ".pdf": ("application", "pdf"),
    ".docx": ("application", "vnd.openxmlformats-officedocument.wordprocessingml.document"),
}


def render(name: str, attachments: dict[str, bytes]) -> bytes:
    head, body = letter(name)
    message = EmailMessage(policy=SMTP)
    for header in ("From", "To", "Cc", "Date"):
        if head[header.lower()]:
            message[header] = head[header.lower()]
    message["Subject"] = head["title"]
    message["Message-ID"] = f"<{head['id']}>"
    message.set_content(body, cte="quoted-printable")
    for file, content in attachments.items():
        maintype, subtype = TYPES[file[file.rindex(".") :]]
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=file)
    if attachments:
        message.set_boundary(f"=-{head['id'].split('@')[0]}")
    return message.as_bytes()


def plain(name: str) -> str:
    """Subject, correspondents and body: what a reader sees without the attachments."""
    head, body = letter(name)
    shown = ("From", "To", "Cc", "Date")
    lines = [f"{header}: {head[header.lower()]}" for header in shown if head[header.lower()]]
    return "\n".join([*lines, f"Subject: {head['title']}", "", body])
