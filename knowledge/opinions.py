"""What the generator says of a document that its sentences leave open.

Its prompt begins as that of an answer which reads the same document in full, and is remembered under the same
scope: what an earlier question had it read is not read again. A yes counts only with a sentence that the
document has word for word.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings

from inference.errors import InferenceError
from inference.generator import Message, Options, Usage
from knowledge import conversation, engines, prompts, reading, sentences, turns
from knowledge.citations import Checker, Read
from knowledge.models import Evidence, Passage, Verdict, Version
from knowledge.pins import Pin, Texts
from knowledge.quotes import Quote
from knowledge.streams import give_back_connection

PASSAGES = 40  # of a document that is too long, the closest ones that the plan chooses from
BABBLE = 40  # characters behind what decides it, after which the rest is not waited for
# Followed by a sign or nothing: “No doubt it does” is no no.
SAID = re.compile(r"\W*(yes|no|undecided)(?=[.,:;!*)\]”\"—–]|\s*$|[ \t]*\n|\s+[\[(“\"—–-])", re.IGNORECASE)
VALUES = {"yes": Verdict.Value.YES, "no": Verdict.Value.NO, "undecided": Verdict.Value.UNDECIDED}
WHOLE, IN_PART = "the whole document", "those passages of the document that there was room for"
NO_ROOM = "The generator was not asked: no passage of this document fits beside the question."
FAILED = "The generator was asked and did not answer: {}"
SAYS = {
    Verdict.Value.YES: "says yes",
    Verdict.Value.NO: "says no",
    Verdict.Value.UNDECIDED: "cannot decide",
}
UNCARRIED = "says yes, but no sentence of the document carries what it wrote"
AFAR = "says yes, but with a sentence of the document that says nothing of what is asked"
UNCLEAR = "says neither yes nor no"
UNREAD = "says no, but the rest was not read"


@dataclass(frozen=True)
class Opinion:
    value: Verdict.Value
    note: str  # who says so, and what was read for it
    pins: Mapping[Pin, float] = field(default_factory=dict)  # of a yes, with how much of each it repeats
    model: str = ""  # "": none was asked, or it did not answer
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


UNASKED = Opinion(Verdict.Value.UNDECIDED, "")


@dataclass(frozen=True)
class _Prompt:
    messages: list[Message]
    reads: list[Read]
    texts: Texts
    checker: Checker
    is_whole: bool


def ask(
    version: Version,
    question: str,
    keys: Sequence[Quote],
    closest: Sequence[Passage],
    cancelled: Callable[[], bool],
    is_near: Callable[[str], bool] = lambda _: True,
) -> Opinion:
    """Have the generator decide about this version. Raises InferenceError, of which Cancelled is one.

    `keys` are sentences that may decide it, `closest` its passages, the nearest first. Of a
    yes only sentences count that are near the question. Holds no connection.
    """
    give_back_connection()  # also while a model is opened
    model = engines.generator().name
    started = time.monotonic()  # a model that is opened now is open for the next document
    prompt = _prompt(version, question, keys, closest)
    if not prompt.reads:
        return Opinion(Verdict.Value.UNDECIDED, NO_ROOM)
    said, usage = _said(version, prompt, cancelled)
    value, pins, what = _understood(said, prompt, is_near)
    note = f"The generator {model} read {WHOLE if prompt.is_whole else IN_PART} ({_told(usage)}) and {what}."
    return Opinion(value, note, pins, model, usage, time.monotonic() - started)


def failed(error: InferenceError, seconds: float) -> Opinion:
    return Opinion(Verdict.Value.UNDECIDED, FAILED.format(error), seconds=seconds)


def _prompt(version: Version, question: str, keys: Sequence[Quote], closest: Sequence[Passage]) -> _Prompt:
    """The document in full where the generator has room for it, else its passages by plan."""
    bare = prompts.Turn([], [quote.text for quote in keys], question)
    left = max(0, turns.room(prompts.verdict([], bare)))
    shelf = reading.Shelf(closest[:PASSAGES], [version])
    plan = shelf.plan(min(left, settings.RUN_TOKENS or left))
    rows = [] if plan.is_cut else shelf.evidence(plan)
    texts = Texts({version.pk})
    reads = conversation.numbered(rows, texts)
    sources = [conversation.source(read) for read in reads]
    pointed = [conversation.key_sentence(reads, version.pk, quote.start, quote.text) for quote in keys]
    is_whole = any(row.kind == Evidence.Kind.FULL for row in rows)
    documents, passages = (sources, []) if is_whole else ([], sources)
    messages = prompts.verdict(documents, prompts.Turn(passages, pointed, question))
    return _Prompt(messages, reads, texts, Checker(reads), is_whole)


def _said(version: Version, prompt: _Prompt, cancelled: Callable[[], bool]) -> tuple[str, Usage]:
    options = Options(
        max_tokens=settings.ANSWER_TOKENS,
        deadline_seconds=settings.ANSWER_SECONDS,
        scope=engines.scope_of(version.document.matter_id),
        ids=conversation.ids(prompt.reads),
        openings=(prompts.YES, prompts.NO, prompts.UNDECIDED),
    )
    give_back_connection()  # generation never holds a connection
    stream = engines.generator().stream(prompt.messages, options, cancelled)
    said = ""
    try:
        for piece in stream:
            said += piece
            if _is_enough(said, prompt.checker):
                break
    finally:
        stream.close()
    return sentences.whole(said)[0] if stream.usage.is_cut else said, stream.usage


def _is_enough(said: str, checker: Checker) -> bool:
    """Whether it goes on behind what decides it, or has left the document; a good model ends by itself."""
    if len(said) <= BABBLE or _value(said) != Verdict.Value.YES:
        return len(said) > BABBLE
    wrote = _behind(said)
    complete = [span for span in sentences.split(wrote) if span.end <= len(wrote) - BABBLE]
    is_carried = any(checker.support(span.of(wrote)) for span in complete)
    return is_carried or len(complete) >= settings.UNSUPPORTED_SENTENCES


def _behind(said: str) -> str:
    """What was written behind the yes."""
    return SAID.sub("", said, count=1).lstrip(":.,;!*)—– \n")


def _value(said: str) -> Verdict.Value | None:
    match = SAID.match(said)
    return VALUES[match[1].lower()] if match else None


def _understood(
    said: str, prompt: _Prompt, is_near: Callable[[str], bool]
) -> tuple[Verdict.Value, dict[Pin, float], str]:
    """The verdict, the sentences that carry it, and how it is told."""
    value = _value(said)
    if value is None:
        return Verdict.Value.UNDECIDED, {}, UNCLEAR
    if value == Verdict.Value.NO and not prompt.is_whole:
        return Verdict.Value.UNDECIDED, {}, UNREAD
    if value != Verdict.Value.YES:
        return value, {}, SAYS[value]
    pins = _pins(_behind(said), prompt)
    near = {pin: score for pin, score in pins.items() if is_near(pin.quote)}
    return (value, near, SAYS[value]) if near else (Verdict.Value.UNDECIDED, {}, AFAR if pins else UNCARRIED)


def _pins(wrote: str, prompt: _Prompt) -> dict[Pin, float]:
    """The places that say it word for word, each once."""
    found: dict[Pin, float] = {}
    for span in sentences.split(wrote):
        support = prompt.checker.support(span.of(wrote))
        if support:
            pin = prompt.texts.pin(support.version_id, support.start, support.end, support.quote)
            found |= {pin: support.score} if pin else {}
    return found


def _told(usage: Usage) -> str:
    if usage.prompt_tokens is None:
        return "how many tokens was not told"
    if usage.cached_tokens is None:
        return f"{usage.prompt_tokens:,} tokens"
    return f"{usage.prompt_tokens:,} tokens, {usage.cached_tokens:,} of them read before"
