"""From what a file says about itself, as text of any form, to typed fields that can be filtered."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from ingestion import bates
from ingestion.parse.parsed import Parsed
from knowledge.models import Correspondent, Kind, Page, Version

LANGUAGE_SAMPLE = 6_000  # characters
MOST_CORRESPONDENTS = 2_000
MOST_NAMED = 200  # messages of a conversation that one mail may name
KINDS = {
    "application/pdf": Kind.PDF,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind.WORD,
    "application/msword": Kind.WORD,
    "application/rtf": Kind.WORD,
    "application/vnd.oasis.opendocument.text": Kind.WORD,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind.SHEET,
    "application/vnd.ms-excel": Kind.SHEET,
    "text/csv": Kind.SHEET,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": Kind.SLIDES,
    "application/vnd.ms-powerpoint": Kind.SLIDES,
    "message/rfc822": Kind.EMAIL,
    "application/vnd.ms-outlook": Kind.EMAIL,
    "application/mbox": Kind.MAILBOX,
    "text/html": Kind.WEB,
    "application/xml": Kind.TEXT,
    "text/plain": Kind.TEXT,
    "application/zip": Kind.ARCHIVE,
}
_PDF_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?|Z)?")
_PERSON = re.compile(r'(?:"[^"]*"|<[^<>]*>|[^,;"<])+')
_ID = re.compile(r"<([^<>\s]+)>")


def fields(parsed: Parsed) -> dict[str, Any]:
    """The fields of knowledge.models.description.Description that the file itself tells."""
    said = parsed.metadata
    written = date(said.get("creationdate") or said.get("created") or "")
    changed = date(said.get("moddate") or said.get("modified") or "")
    sent = date(said.get("date", "")) if kind(parsed) == Kind.EMAIL else None
    return {
        "kind": kind(parsed),
        "title": parsed.title[:500],
        "author": _author(said)[:200],
        "written": written,
        "changed": changed,
        "sent": sent,
        "date": sent or changed or written,
        "message_id": next(iter(identifiers(said.get("message-id", ""))), ""),
        "page_count": len(parsed.pages),
    }


def kind(parsed: Parsed) -> Kind:
    return (
        Kind.PICTURE if parsed.media_type.startswith("image/") else KINDS.get(parsed.media_type, Kind.OTHER)
    )


def correspondents(version: Version, said: Mapping[str, str]) -> Iterator[Correspondent]:
    """Sender and recipients as rows that are not stored yet."""
    for role in Correspondent.Role:
        for name, address in people(said.get(role.value, ""))[:MOST_CORRESPONDENTS]:
            yield Correspondent(version=version, role=role, name=name, address=address)


def people(header: str) -> list[tuple[str, str]]:
    """Name and address of each person in a header, whether commas or semicolons divide them."""
    found = []
    for each in _PERSON.findall(header):
        name, _, address = each.replace('"', "").strip().removesuffix(">").rpartition("<")
        if not name and "@" not in address:
            name, address = address, ""
        found.append((" ".join(name.split())[:200], address.strip().lower()[:254]))
    return [each for each in found if any(each)]


def named_messages(said: Mapping[str, str]) -> list[str]:
    """The earlier messages that this one names, the first of the conversation first; of many, both ends."""
    found = [*identifiers(said.get("references", "")), *identifiers(said.get("in-reply-to", ""))]
    return found if len(found) <= MOST_NAMED else [*found[: MOST_NAMED // 2], *found[-MOST_NAMED // 2 :]]


def identifiers(header: str) -> list[str]:
    return [found[:200] for found in _ID.findall(header)]


def date(text: str) -> datetime | None:
    """A moment from a form that files use: ISO 8601, e-mail, PDF. One without a zone counts as UTC."""
    for read in (datetime.fromisoformat, parsedate_to_datetime, _pdf_date):
        try:
            found = read(text.strip())
            moment = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
            return moment if MINYEAR + 1 < moment.year < MAXYEAR else None  # shown in any time zone
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def language(text: str) -> str:
    """The language of most of the text as ISO 639-1, or "" for a text that does not tell."""
    from kreuzberg import extract_bytes_sync

    sample = " ".join(text[: LANGUAGE_SAMPLE * 2].split())[:LANGUAGE_SAMPLE]
    found = extract_bytes_sync(sample.encode(), "text/plain", _detection()).detected_languages or []
    return LANGUAGES.get(found[0], found[0]) if found else ""


# ISO 639-3, as the detector says it → ISO 639-1, where there is one
LANGUAGES = {
    "ara": "ar", "bul": "bg", "cat": "ca", "ces": "cs", "cmn": "zh", "dan": "da", "deu": "de", "ell": "el",
    "eng": "en", "est": "et", "fin": "fi", "fra": "fr", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu",
    "ind": "id", "ita": "it", "jpn": "ja", "kor": "ko", "lav": "lv", "lit": "lt", "nld": "nl", "nob": "nb",
    "pes": "fa", "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru", "slk": "sk", "slv": "sl", "spa": "es",
    "srp": "sr", "swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi", "zho": "zh",
}  # fmt: skip


def stamps(pages: Sequence[Page]) -> dict[int, str]:
    """The Bates number of each page that has one, by the page's row id."""
    in_order = sorted(pages, key=lambda page: page.number)
    found = bates.numbers([page.text for page in in_order])
    return {page.pk: stamp for page, stamp in zip(in_order, found, strict=True) if stamp}


def _author(said: Mapping[str, str]) -> str:
    """Of an e-mail its sender, by name where there is one."""
    if said.get("author"):
        return said["author"].strip()
    sender = people(said.get("from", ""))
    return (sender[0][0] or sender[0][1]) if sender else ""


def _pdf_date(text: str) -> datetime:
    """D:20200805151233-07'00', as much of it as there is. Raises ValueError."""
    found = _PDF_DATE.match(text)
    if not found:
        raise ValueError(text)
    year, month, day, hour, minute, second = (
        int(part or least) for part, least in zip(found.groups(), (0, 1, 1, 0, 0, 0), strict=False)
    )
    sign, hours, minutes = found.group(7, 8, 9)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


@cache
def _detection() -> Any:
    from kreuzberg import ExtractionConfig, LanguageDetectionConfig

    return ExtractionConfig(language_detection=LanguageDetectionConfig(enabled=True))
