"""Near duplicates: documents whose texts are almost the same, found by SimHash.

Charikar, "Similarity estimation techniques from rounding algorithms" (2002); 64 bits over word triples.
"""

import hashlib
import re

import numpy as np

from knowledge.models import Document, Version

WORD = re.compile(r"\w+")
SHINGLE = 3  # words
BITS = 64
NEAR = 3  # bits that may differ
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


def find(version: Version) -> Document | None:
    """The first other document of the matter whose current text is almost this one."""
    mine = Version.objects.values_list("fingerprint", flat=True).get(pk=version.pk)
    if mine is None:
        return None
    others = (
        Version.objects.filter(current_of__matter=version.document.matter_id, fingerprint__isnull=False)
        .exclude(document=version.document_id)
        .order_by("created")
    )
    rows = list(others.values_list("document", "fingerprint"))
    if not rows:
        return None
    differing = np.array([print_ for _, print_ in rows], dtype=np.int64) ^ np.int64(mine)
    distances = np.bitwise_count(differing.view(np.uint64))
    near = np.flatnonzero(distances <= NEAR)
    return Document.objects.get(pk=rows[int(near[0])][0]) if len(near) else None
