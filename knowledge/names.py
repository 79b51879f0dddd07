"""What people call a document: the words of its name, its people, and what stands at its head and its end.

A question that names a document is answered from that document; `knowledge.routing` finds it by these words.
"""

import re
from collections.abc import Sequence

from knowledge.models import Version

HEAD = 1_500  # characters of the beginning: title, parties, date
TAIL = 1_500  # characters of the end: who signed
PATH_WEIGHT = 3  # how often the words of the file's name count

# "Consider the Lease between A and B; what is the rent?": the part that names comes first
_PART = re.compile(
    r"\s*(?:consider|in|under|regarding|concerning|about|for|with respect to|as to)\b([^;:]*)[;:]\s",
    re.IGNORECASE,
)
_LITTLE = frozenset("under in of with between by for to from and or the a an this that its , . & -".split())
LEAST_LEFT = 3  # words
_TOKEN = re.compile(r"[^\W_](?:[\w&'’.\-]*[\w&])?|[^\w\s]")
_WORD = re.compile(r"[^\W_](?:[\w&'’.\-]*[\w&])?")
_POSSESSIVE = re.compile(r"['’]s?\b")
# Words with a capital that name no document but the roles, parts and terms that every contract has.
_ROLES = frozenset(
    """
    i a an the this that these those what when where which who whom whose why how is are was were do does did
    can could may must shall should will would has have had if in on of to for from by with under and or not
    agreement agreements contract contracts party parties company corporation information confidential
    receiving disclosing recipient discloser effective date section sections article exhibit schedule annex
    buyer seller purchaser vendor licensor licensee lessor lessee landlord tenant borrower lender employer
    employee employees contractor consultant customer customers supplier distributor franchisor franchisee
    agent principal term services products document documents parent target provision representation
    representations warranty warranties confidentiality clause covenant covenants closing condition conditions
    definition knowledge material adverse effect ordinary course event intervening superior proposal no shop
    fiduciary out right rights trigger triggers tail type consideration compliance limitation limitations
    antitrust efforts regulatory approval approvals specific performance force majeure change control
    governing law termination notice assignment indemnification indemnity liability insurance waiver
    severability dispute resolution arbitration jurisdiction venue cap renewal exclusivity remedies damages
    """.split()
)


def of(version: Version, text: str) -> str:
    """The words that this version can be called by; `text` is its whole text."""
    path = split(version.document.path)
    people = " ".join(f"{row.name} {row.address}" for row in version.correspondents.all())
    parts = [*[path] * PATH_WEIGHT, version.title, version.author, people, text[:HEAD]]
    return "\n".join([*parts, text[max(HEAD, len(text) - TAIL) :]])


def asked(question: str) -> str:
    """The words of a question that may name a document: those with a capital or a digit, roles apart.

    "" when there are none. Where the question has a part that says which document is meant, only that part.
    """
    found = _PART.match(question)
    part = found.group(1) if found else question
    words = [_POSSESSIVE.sub("", word.group()) for word in _WORD.finditer(part)]
    said = words if found else words[1:]  # the first word of a sentence has its capital anyway
    names = [
        word for word in said if not word[:1].islower() and not _ROLES.issuperset(word.lower().split("-"))
    ]
    return split(" ".join(names)) if names else ""


def rest(question: str) -> str:
    """The question without what names a document: what is then looked for inside it.

    A name is a run of words with capitals, with the little words that lead to it and stand inside it: "under
    the Supply Agreement with Quillmarsh Inc and Brackwater". The whole question where nothing else is left.
    """
    found = _PART.match(question)
    if found:
        return question[found.end() :].strip() or question
    words = _TOKEN.findall(question)
    named = [place > 0 and word[:1].isalnum() and word != word.lower() for place, word in enumerate(words)]
    dropped = _with_little_words(words, named)
    left = [word for word, is_dropped in zip(words, dropped, strict=True) if not is_dropped]
    is_enough = any(named) and sum(word[:1].isalpha() for word in left) >= LEAST_LEFT
    return " ".join(left) if is_enough else question


def _with_little_words(words: Sequence[str], named: Sequence[bool]) -> list[bool]:
    """Also what stands between two names, and what leads to the first."""
    dropped = list(named)
    for place in range(len(words) - 1, -1, -1):
        follows = place + 1 < len(words) and dropped[place + 1]
        if not dropped[place] and follows:
            dropped[place] = words[place].lower() in _LITTLE
    return dropped


def split(name: str) -> str:
    """A file's name as words: "SupplyAgreement_20Rev2" is found as "Supply Agreement" and as it stands."""
    plain = re.sub(r"[\W_]+", " ", re.sub(r"%20|_20(?=[A-Za-z])", " ", name))
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    return plain if apart == plain else f"{plain} {apart}"
