"""Storing what was read of a version: pages, and passages for every live generation of the index."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import accumulate
from uuid import uuid5

from django.db import transaction

from ingestion import chunks, description
from ingestion.parse.parsed import Page as Parsed
from ingestion.parse.parsed import Parsed as ParsedFile
from knowledge import furniture, generations, jobs, similar, threads, wordings
from knowledge.models import Correspondent, Generation, Page, Passage, Version

ROWS_AT_ONCE = 200
LANGUAGE_PAGES = 20  # the first pages tell the language


def describe(lease: jobs.Lease, version: Version, parsed: ParsedFile) -> None:
    """What the file says about itself, and the conversation that it belongs to."""
    found = description.fields(parsed)
    with transaction.atomic():
        thread = threads.join(version, found["message_id"], description.named_messages(parsed.metadata))
        lease.hold()
        Version.objects.filter(pk=version.pk).update(
            media_type=parsed.media_type, metadata=parsed.metadata, thread=thread, **found
        )
        version.correspondents.all().delete()
        Correspondent.objects.bulk_create(
            description.correspondents(version, parsed.metadata), batch_size=ROWS_AT_ONCE
        )


def describe_stored(lease: jobs.Lease, version: Version) -> None:
    """The description of a version that was read before descriptions were kept, from what was stored then."""
    rows = version.pages.order_by("number").only("number", "label")
    read = tuple(Parsed(page.number, page.label, "") for page in rows)
    with transaction.atomic():
        describe(lease, version, ParsedFile(version.media_type, read, version.title, version.metadata))
        describe_text(version)


def describe_text(version: Version) -> None:
    """What only the whole text tells: its language, the numbers on its pages, running heads and feet."""
    rows = list(version.pages.order_by("number").only("number", "text", "width", "bates", "head", "foot"))
    stamps = description.stamps(rows)
    printed = [page for page in rows if page.width]
    edges = dict(zip(printed, furniture.lengths([page.text for page in printed]), strict=True))
    changed = []
    for page in rows:
        told = stamps.get(page.pk, ""), *edges.get(page, (0, 0))
        if told != (page.bates, page.head, page.foot):
            page.bates, page.head, page.foot = told
            changed.append(page)
    Page.objects.bulk_update(changed, ["bates", "head", "foot"], batch_size=ROWS_AT_ONCE)
    found = [page.bates for page in rows if page.bates] or [""]
    Version.objects.filter(pk=version.pk).update(
        bates_first=found[0],
        bates_last=found[-1],
        language=description.language("".join(page.text for page in rows[:LANGUAGE_PAGES])),
    )


def store(lease: jobs.Lease, version: Version, pages: Sequence[Parsed], *, is_first: bool) -> None:
    """Add these pages and their passages after what is stored; the first call replaces an earlier attempt.

    Passages that an earlier attempt left and that come out the same are kept with their vectors.
    """
    with transaction.atomic():
        lease.hold()
        if is_first:
            version.pages.all().delete()
        start = 0 if is_first else _length(version)
        rows = list(_rows(version, pages, start))
        Page.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
        for generation in generations.live():
            cut(version, generation, rows, keep_others=not is_first)
        text = "".join(page.text for page in version.pages.order_by("start", "number"))
        Version.objects.filter(pk=version.pk).update(characters=len(text))
        similar.keep(version, text)
        wordings.keep(version)


def cut(
    version: Version, generation: Generation, pages: Sequence[Page], *, keep_others: bool = False
) -> None:
    """The passages of these pages as this generation cuts them, as rows."""
    first = pages[0].start if pages else 0
    pieces = chunks.split(pages, generation.chunk_characters, generation.chunk_overlap, first)
    made = {passage.pk: passage for passage in (_passage(version, generation, piece) for piece in pieces)}
    stored = version.passages.filter(generation=generation)
    keys = dict(stored.values_list("pk", "key"))
    same = {pk for pk, key in keys.items() if pk in made and made[pk].key == key}
    if not keep_others:
        stored.exclude(pk__in=same).delete()
    new = [passage for pk, passage in made.items() if pk not in same]
    Passage.objects.bulk_create(new, batch_size=ROWS_AT_ONCE)


def indexed_words(passage: Passage) -> str:
    """What BM25 sees: a passage is found by its headings too. Its vector is of its text alone."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def _length(version: Version) -> int:
    last = version.pages.order_by("-start", "-number").first()
    return last.end if last else 0


def _rows(version: Version, pages: Sequence[Parsed], first: int) -> Iterator[Page]:
    starts = accumulate((len(page.text) for page in pages), initial=first)
    for page, start in zip(pages, starts, strict=False):
        yield Page(
            version=version,
            number=page.number,
            label=page.label[:200],
            kind=page.kind,
            confidence=page.confidence,
            start=start,
            text=page.text,
            width=page.width,
            height=page.height,
            boxes=page.boxes,
        )


def _passage(version: Version, generation: Generation, piece: chunks.Chunk) -> Passage:
    """The id says where the passage stands, so that a second run makes the same passages."""
    passage = Passage(
        id=uuid5(version.pk, f"{generation.number}:{piece.start}:{piece.end}"),
        version=version,
        generation=generation,
        start=piece.start,
        end=piece.end,
        page_first=piece.page_first,
        page_last=piece.page_last,
        heading=piece.heading[:500],
        text=piece.text,
    )
    passage.key = hashlib.blake2b(passage.text.encode(), digest_size=20).hexdigest()
    return passage
