"""From quotes to findings: whole sentences, and only what the document says there word for word."""

from collections.abc import Sequence
from uuid import UUID

from knowledge.models import Finding
from knowledge.pins import Pin, Texts
from knowledge.quotes import Quote


def pinned(found: Sequence[Quote]) -> dict[Pin, float]:
    """The pin of each quote with its score, each once, in their order."""
    if not found:
        return {}
    texts = Texts({quote.passage.version_id for quote in found})
    pins: dict[Pin, float] = {}
    for quote in found:
        version_id = quote.passage.version_id
        start, end = texts.sentence(version_id, quote.start, quote.end)
        pin = texts.pin(version_id, start, end, texts.slice(version_id, start, end))
        if pin is not None and quote.text in pin.quote:
            pins.setdefault(pin, quote.score)
    return pins


def finding(run_id: UUID, number: int, pin: Pin, score: float, verdict_id: int | None = None) -> Finding:
    """An unsaved finding; a Pin exists only for words that were checked."""
    return Finding(
        run_id=run_id,
        verdict_id=verdict_id,
        number=number,
        version_id=pin.version_id,
        page=pin.page,
        page_label=pin.page_label,
        start=pin.start,
        end=pin.end,
        quote=pin.quote,
        score=score,
    )
