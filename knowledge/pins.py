"""Pin cites: from a span of a version's text to the page it stands on, with the words checked."""

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from knowledge import furniture, sentences
from knowledge.models import Page


@dataclass(frozen=True)
class Pin:
    version_id: UUID
    page: int
    page_label: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True)
class PageText:
    number: int
    label: str
    start: int
    text: str
    plain: str  # the same with spaces for running heads and feet


def at(label: str) -> str:
    """How a page is named in a sentence: “page 4”, but a sheet or an e-mail by its own label."""
    return f"page\N{NO-BREAK SPACE}{label}" if label.isdigit() else label


class Texts:
    """The texts of some versions, held in memory so that checking needs no database."""

    def __init__(self, version_ids: Collection[UUID]) -> None:
        self._pages: dict[UUID, list[PageText]] = {version: [] for version in version_ids}
        rows = Page.objects.filter(version__in=version_ids).order_by("version", "start", "number")
        for version, number, label, start, text, head, foot in rows.values_list(
            "version_id", "number", "label", "start", "text", "head", "foot"
        ):
            plain = furniture.blanked(text, start, furniture.spans(start, len(text), head, foot))
            self._pages[version].append(PageText(number, label, start, text, plain))

    def slice(self, version_id: UUID, start: int, end: int) -> str:
        """The characters [start, end) of the version's text; shorter if the text is."""
        pages = self._pages[version_id]
        return "".join(page.text[max(0, start - page.start) : max(0, end - page.start)] for page in pages)

    def pin(self, version_id: UUID, start: int, end: int, quote: str) -> Pin | None:
        """The pin cite of a quote, or None if the version does not say exactly this there."""
        pages = self._pages.get(version_id, [])
        if not pages or not quote or self.slice(version_id, start, end) != quote:
            return None
        page = pages[bisect_right([page.start for page in pages], start) - 1]
        return Pin(version_id, page.number, page.label, start, end, quote)

    def sentence(self, version_id: UUID, start: int, end: int) -> tuple[int, int]:
        """The span widened to the whole sentences it touches: a passage may begin or end inside of one."""
        before = max(0, start - sentences.LONGEST)
        after = end + sentences.LONGEST
        pages = self._pages[version_id]
        plain = "".join(
            page.plain[max(0, before - page.start) : max(0, after - page.start)] for page in pages
        )
        around = sentences.split(plain, before)
        touched = [span for span in around if span.start < end and start < span.end]
        return (touched[0].start, touched[-1].end) if touched else (start, end)

    def label(self, version_id: UUID, start: int) -> str:
        """The label of the page on which this offset stands."""
        pages = self._pages[version_id]
        return pages[bisect_right([page.start for page in pages], start) - 1].label if pages else ""
