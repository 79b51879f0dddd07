"""Near duplicates: documents whose texts are almost the same, found by SimHash.

Charikar, "Similarity estimation techniques from rounding algorithms" (2002); 64 bits over word triples.
"""

import hashlib
import re

import numpy as np

from knowledge.models import Document, Likeness, Version

WORD = re.compile(r"\w+")
SHINGLE = 3  # words
BITS = 64
WHOLE = (1 << BITS) - 1
NEAR = 3  # bits that may differ
QUARTER = BITS // (NEAR + 1)
SHORTEST = 50  # words; shorter texts are alike by chance


def fingerprint(text: str) -> int | None:
    """The SimHash of a text as a signed 64-bit number; None for a text too short to compare."""
    words = [word.lower() for word in WORD.findall(text)]
    if len(words) < SHORTEST:
        return None
    shingles = {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}
    digests = b"".join(hashlib.blake2b(each.encode(), digest_size=8).digest() for each in shingles)
    bits = np.unpackbits(np.frombuffer(digests, np.uint8).reshape(-1, 8), axis=1)  # (shingles, 64)
    majority = bits.sum(axis=0, dtype=np.int64) * 2 > len(shingles)
    return int(np.packbits(majority).view(">i8")[0])


def keep(version: Version, text: str) -> None:
    """Store the fingerprint of its text, and the quarters by which it is found."""
    made = fingerprint(text)
    Version.objects.filter(pk=version.pk).update(fingerprint=made)
    version.likenesses.all().delete()
    matter = version.document.matter_id
    Likeness.objects.bulk_create(
        Likeness(matter_id=matter, version=version, key=key)
        for key in ([] if made is None else quarters(made))
    )


def find(version: Version) -> Document | None:
    """The first other document of the matter whose current text is almost this one."""
    mine = Version.objects.values_list("fingerprint", flat=True).get(pk=version.pk)
    if mine is None:
        return None
    alike = Version.objects.filter(
        likenesses__matter=version.document.matter_id,
        likenesses__key__in=quarters(mine),
        current_of__isnull=False,
    ).exclude(document=version.document_id)
    for other, print_ in alike.order_by("created").values_list("document", "fingerprint").iterator():
        if print_ is not None and ((print_ ^ mine) & WHOLE).bit_count() <= NEAR:
            return Document.objects.get(pk=other)
    return None


def quarters(print_: int) -> list[int]:
    """Of a fingerprint, each with its place: where at most three bits differ, one of the four is equal."""
    return [place << QUARTER | print_ >> place * QUARTER & (1 << QUARTER) - 1 for place in range(NEAR + 1)]
