"""Lines that are headings, and the path of them above a place in a text."""

import re

LONGEST = 90  # characters
_LINE = re.compile(
    r"(?P<mark>#{1,6}\s+|(?:ARTICLE|Article|SECTION|Section|SCHEDULE|Schedule|EXHIBIT|Exhibit|ANNEX|Annex)\s+"
    r"[\dIVXLA-Z]+|\d{1,3}(?:\.\d{1,3}){0,3}\.?\s+)?(?P<title>.*)"
)
# "Schedule 4, the Buyer shall": a line of a sentence that speaks of a part, not the heading of one.
_MENTION = re.compile(
    r"(?:ARTICLE|Article|SECTION|Section|SCHEDULE|Schedule|EXHIBIT|Exhibit|ANNEX|Annex)\s+(?:[\d.]+|[IVXL]+|[A-Z])\b"
    r"(?:,|\)|\s+(?:of|to|in|and|or|for|with|by|as|on|is|are|was|has|have|shall|will|may|must|does|do|which|that"
    r"|above|below|hereof|hereto|applies|apply|provides|says|states)\b)"
)


def of(text: str) -> list[str]:
    """Its lines that are headings, in order."""
    return [line.strip() for line in text.splitlines() if is_heading(line.strip())]


def follow(path: list[str], line: str) -> None:
    """Keep the path of headings up to date with this line."""
    title = line.strip()
    if not is_heading(title):
        return
    level = _level(title)
    while path and _level(path[-1]) >= level:
        path.pop()
    path.append(title.lstrip("# ").strip())


def is_heading(line: str) -> bool:
    if not 3 <= len(line) <= LONGEST or line.endswith((",", ";", "-")):
        return False
    found = _LINE.match(line)
    mark, title = (found.group("mark"), found.group("title")) if found else (None, line)
    letters = [char for char in title if char.isalpha()]
    if mark and mark.startswith("#"):
        return True
    if mark and not mark[0].isdigit():
        return not title.endswith(".") and not _MENTION.match(line)
    capital = bool(letters) and all(char.isupper() for char in letters)
    if mark:
        return len(title) <= 60 and bool(letters) and title[0].isupper() and not title.endswith((".", ":"))
    return capital and 4 <= len(letters) <= 60 and not line.endswith(".")


def _level(title: str) -> int:
    number = re.match(r"\d{1,3}(?:\.\d{1,3})*", title)
    if number:
        return 2 + number.group().count(".")
    hashes = re.match(r"#+", title)
    return len(hashes.group()) if hashes else 1
