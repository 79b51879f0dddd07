"""Numbers, dates, amounts and names in a text, in a form that is the same however they are written.

“12 March 2019” and “2019-03-12” are one fact, and so are “USD 1,000,000” and “$1 million”.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

Key = tuple[str, str]  # what it is, and its value

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sept sep"
            "|october oct|november nov|december dec"
        ).split("|"),
        1,
    )
    for name in names.split()
}
CURRENCIES = {
    "$": "USD", "us$": "USD", "usd": "USD", "dollars": "USD", "dollar": "USD", "€": "EUR", "eur": "EUR",
    "euro": "EUR", "euros": "EUR", "£": "GBP", "gbp": "GBP", "pounds": "GBP", "chf": "CHF", "cad": "CAD",
    "aud": "AUD", "jpy": "JPY", "¥": "JPY", "yen": "JPY", "cny": "CNY", "rmb": "CNY", "sek": "SEK",
}  # fmt: skip
SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "m": 10**6, "bn": 10**9}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}

# Where case does not matter they are taken for s and i, as in an old deed's “Auguſt”.
_OLD_LETTERS = str.maketrans("ſı", "si")
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?P<y1>\d{{4}})-(?P<m1>\d{{2}})-(?P<d1>\d{{2}})\b"
    rf"|\b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+day)?(?:\s+of)?\s+(?P<m2>{_MONTH})\.?,?\s+(?P<y2>\d{{4}})\b"
    rf"|\b(?P<m3>{_MONTH})\.?\s+(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y3>\d{{4}})\b"
    rf"|\b(?P<m4>{_MONTH})\.?,?\s+(?P<y4>\d{{4}})\b"
    r"|\b(?P<a>\d{1,2})(?P<s>[./])(?P<b>\d{1,2})(?P=s)(?P<y5>\d{4})\b",
    re.IGNORECASE,
)
_FIGURE = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d{3}){2,}|\d+(?:\.\d+)?"
_CURRENCY = "|".join(re.escape(name) for name in sorted(CURRENCIES, key=len, reverse=True))
_SCALE = "|".join(sorted(SCALES, key=len, reverse=True))
_MONEY = re.compile(
    rf"(?<!\w)(?P<c1>{_CURRENCY})\s?(?P<n1>{_FIGURE})(?:\s?(?P<s1>{_SCALE})\b)?"
    rf"|(?<![\w.,])(?P<n2>{_FIGURE})(?:\s?(?P<s2>{_SCALE})\b)?\s?(?P<c2>{_CURRENCY})(?!\w)",
    re.IGNORECASE,
)
_PERCENT = re.compile(rf"(?<![\w.,])(?P<n>{_FIGURE})\s?(?:%|per\s?cent\b|percent\b)", re.IGNORECASE)
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<n>{_FIGURE})(?![\w%])(?:\s?(?P<s>hundred|thousand|million|billion)\b)?", re.IGNORECASE
)
_NUMBER_WORD = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[-\s](?P<ones>{'|'.join(_ONES[1:10])}))?|(?P<word>{'|'.join(_ONES)}))\b"
    r"(?:\s(?P<s>hundred|thousand|million|billion)\b)?",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\)?[\s-]+(?:(?:business|calendar|working|consecutive|full)\s+)?(?P<unit>hour|day|week|month|year)s?\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][\w’'&-]*(?:\s+(?:of|and|&|de|van|von)\s+[A-Z][\w’'&-]*|\s+[A-Z][\w’'&-]*)*")
_COMMON = frozenset(
    """
    the a an this that these those it its he she they we you i in on at by for from to of and or but if when
    while where under upon after before until unless subject notwithstanding each either neither any all no
    not both such then there here as with without yes according pursuant however therefore source sources
    question section clause article
    """.split()
)


@dataclass(frozen=True)
class Fact:
    """One value in a text. `keys` are what it may mean; the most exact reading of it."""

    text: str
    start: int
    end: int
    keys: frozenset[Key]

    @property
    def kind(self) -> str:
        return next(iter(self.keys))[0]


def values(text: str) -> list[Fact]:
    """Dates, amounts of money, percentages and other numbers, in order, none inside another."""
    found: list[Fact] = []
    text = text.translate(_OLD_LETTERS)
    for read in (_dates, _money, _percents, _numbers, _number_words):
        for fact in read(text):
            if not any(fact.start < other.end and other.start < fact.end for other in found):
                found.append(fact)
    return sorted(found, key=lambda fact: fact.start)


def names(text: str) -> list[Fact]:
    """Capitalised words that do not merely begin a sentence."""
    found = []
    for match in _NAME.finditer(text):
        begins = not text[: match.start()].strip() or text[: match.start()].rstrip()[-1:] in '.!?:;“"'
        words = [word for word in match.group().split() if word.lower() not in _COMMON]
        if words and not (begins and match.group() == words[0] and not words[0].isupper()):
            start = match.start() + match.group().index(words[0])
            keys = frozenset(("name", _bare(word)) for word in words)
            found.append(Fact(text[start : match.end()], start, match.end(), keys))
    return found


def missing(claim: str, source: str) -> list[Fact]:
    """The values and names of a claim that do not occur in the source."""
    there = {key for fact in values(source) for key in _told_by(fact)}
    read = values(claim)
    absent = [fact for fact in read if not fact.keys & there]
    words = {_bare(word) for word in re.findall(r"[\w&-]+(?:[’'][\w]+)?", source)}
    for fact in names(claim):
        is_value = any(fact.start < other.end and other.start < fact.end for other in read)
        if not is_value and not {value for _, value in fact.keys} <= words:
            absent.append(fact)
    return sorted(absent, key=lambda fact: fact.start)


def _bare(word: str) -> str:
    """A word of a name, without its genitive."""
    return word.casefold().removesuffix("’s").removesuffix("'s")


def _told_by(fact: Fact) -> Iterator[Key]:
    """What a source that has this fact also says: of a day its month, of a number with a unit the number."""
    for kind, value in fact.keys:
        yield kind, value
        if kind == "date":
            yield kind, value[:7]
        if kind == "time":
            yield "number", value.split()[0]
        if kind in {"money", "percent"}:
            yield "number", value.split()[-1]


def _dates(text: str) -> Iterator[Fact]:
    for match in _DATE.finditer(text):
        part = match.groupdict()
        if part["a"]:  # 3/4/2019: which of the two is the month depends on the country
            days = {(int(part["a"]), int(part["b"])), (int(part["b"]), int(part["a"]))}
            keys = [_day(part["y5"], month, day) for day, month in days if month <= 12]
        elif part["y4"]:
            keys = [("date", f"{part['y4']}-{MONTHS[part['m4'].lower()]:02}")]
        else:
            year = part["y1"] or part["y2"] or part["y3"]
            month = part["m1"] or MONTHS[(part["m2"] or part["m3"]).lower()]
            keys = [_day(year, int(month), int(part["d1"] or part["d2"] or part["d3"]))]
        yield from _fact(match, keys)


def _day(year: str, month: int, day: int) -> Key:
    return "date", f"{year}-{month:02}-{day:02}"


def _money(text: str) -> Iterator[Fact]:
    for match in _MONEY.finditer(text):
        part = match.groupdict()
        currency = CURRENCIES[(part["c1"] or part["c2"]).lower()]
        amount = _amount(part["n1"] or part["n2"], part["s1"] or part["s2"])
        yield from _fact(match, [("money", f"{currency} {amount}")])


def _percents(text: str) -> Iterator[Fact]:
    for match in _PERCENT.finditer(text):
        yield from _fact(match, [("percent", _amount(match["n"], None))])


def _numbers(text: str) -> Iterator[Fact]:
    for match in _NUMBER.finditer(text):
        yield from _counted(text, match, _amount(match["n"], match["s"]))


def _number_words(text: str) -> Iterator[Fact]:
    for match in _NUMBER_WORD.finditer(text):
        if match["word"] and match["word"].lower() in {"one", "zero"}:  # “one of the parties” counts nothing
            continue
        parts = [WORDS[match[name].lower()] for name in ("tens", "ones", "word") if match[name]]
        yield from _counted(text, match, _amount(str(sum(parts)), match["s"]))


def _counted(text: str, match: re.Match[str], amount: str) -> Iterator[Fact]:
    """A number, with the unit of time behind it if there is one; of “thirty (30) days” both have it."""
    rest = re.sub(r"^\s?\(\d+\)", "", text[match.end() : match.end() + 40])
    unit = _UNIT.match(rest)
    if unit is None:
        yield from _fact(match, [("number", amount)])
        return
    end = text.index(unit.group(), match.end()) + unit.end()
    key = ("time", f"{amount} {unit['unit'].lower()}")
    yield Fact(text[match.start() : end], match.start(), end, frozenset([key]))


def _fact(match: re.Match[str], keys: list[Key]) -> Iterator[Fact]:
    if keys:
        yield Fact(match.group(), match.start(), match.end(), frozenset(keys))


def _amount(figure: str, scale: str | None) -> str:
    if figure.count(".") > 1:  # 1.000.000 as the continent writes it
        figure = figure.replace(".", "")
    value = Decimal(figure.replace(",", "")) * (SCALES[scale.lower()] if scale else 1)
    return f"{value.normalize():f}"
