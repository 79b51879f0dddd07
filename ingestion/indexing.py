"""Bringing a version into a generation of the index: vectors for its passages, then points.

A text that was embedded before in the same matter, by the same embedder, is not embedded again.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingestion import pages, places
from knowledge import generations, jobs, names, prepared
from knowledge.index import Point
from knowledge.models import Generation, Passage, Version

EMBED_AT_ONCE = 64
KEPT = (
    np.float16
)  # how vectors are stored; what is indexed is the stored value, so that a rebuild is the same


def bring_in(lease: jobs.Lease, version: Version, generation: Generation, *, anew: bool = True) -> None:
    """All passages of this version, with vectors, as points of this generation; `anew`: and no others."""
    passages = _passages(version, generation)
    _embed(lease, version, generation, [passage for passage in passages if passage.vector is None])
    index = generations.index(generation)
    lease.hold()  # from here on a worker that took over would write the same points
    if anew:
        index.delete_version(version.pk)
    is_named = generation.form >= generations.NAMED_FORM
    called = {passages[0].pk: _names(version)} if passages and is_named else {}
    for batch in _batches(passages):
        lease.report("indexing", 0, len(passages))
        index.upsert([_point(passage, version, called.get(passage.pk, "")) for passage in batch])
    with places.lent():
        index.flush()


def ready_in(version: Version) -> set[int]:
    """The generations for which every passage of this version has its vector."""
    lacking = set(version.passages.filter(vector=None).values_list("generation", flat=True))
    cut = set(version.passages.values_list("generation", flat=True))
    if not cut:  # a document without text has no passages anywhere
        return {generation.pk for generation in generations.live()}
    return cut - lacking


def _passages(version: Version, generation: Generation) -> list[Passage]:
    """The rows; cut from the stored pages where this generation has none of this version yet."""
    rows = version.passages.filter(generation=generation)
    if not rows.exists():
        stored = list(version.pages.order_by("start", "number"))
        pages.cut(version, generation, stored)
    return list(rows.order_by("start"))


def _embed(lease: jobs.Lease, version: Version, generation: Generation, passages: Sequence[Passage]) -> None:
    known = _known(version, generation, passages)
    for passage in passages:
        passage.vector = known.get(passage.key)
    reused = [passage for passage in passages if passage.vector is not None]
    prepared.store(Passage, "vector", reused)
    # Longest first: what stands in one batch is of similar length, and little of it is padding.
    new = sorted((passage for passage in passages if passage.vector is None), key=lambda row: -len(row.text))
    done = 0
    for batch in _batches(new):
        lease.report("embedding", done, len(new))
        texts = [passage.text for passage in batch]
        vectors = generations.embedder(generation).embed_passages(texts)
        for passage, vector in zip(batch, vectors, strict=True):
            passage.vector = vector.astype(KEPT).tobytes()
        prepared.store(Passage, "vector", batch)
        done += len(batch)


def _known(version: Version, generation: Generation, passages: Sequence[Passage]) -> Mapping[str, bytes]:
    """Vectors of the same texts in the same matter: another matter's would tell what it holds, by time."""
    found: dict[str, bytes] = {}
    keys = [passage.key for passage in passages]
    for start in range(0, len(keys), 500):
        rows = Passage.objects.filter(
            key__in=keys[start : start + 500],
            vector__isnull=False,
            version__document__matter=version.document.matter_id,
            generation__embedder_url=generation.embedder_url,
            generation__embedder_model=generation.embedder_model,
            generation__dimensions=generation.dimensions,
        )
        found |= {key: bytes(vector) for key, vector in rows.values_list("key", "vector") if vector}
    return found


def _names(version: Version) -> str:
    """As the rows are now: this version was read from them before the file was."""
    row = Version.objects.select_related("document").get(pk=version.pk)
    return names.of(row, row.text())


def _point(passage: Passage, version: Version, called: str) -> Point:
    return Point(
        id=passage.pk,
        dense=_vector(passage),
        text=pages.indexed_words(passage),
        matter_id=version.document.matter_id,
        document_id=version.document_id,
        version_id=version.pk,
        start=passage.start,
        end=passage.end,
        names=called,
    )


def _vector(passage: Passage) -> NDArray[np.float32]:
    return np.frombuffer(bytes(passage.vector or b""), dtype=KEPT).astype(np.float32)


def _batches(passages: Sequence[Passage]) -> Iterator[Sequence[Passage]]:
    for start in range(0, len(passages), EMBED_AT_ONCE):
        yield passages[start : start + EMBED_AT_ONCE]
