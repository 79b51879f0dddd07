"""Broken and hostile files: each ends as it is expected to, in its own sandbox, and quickly."""

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingestion import sandbox
from ingestion.parse.errors import ParseError
from knowledge import demo
from tests.ingestion.conftest import DATA, NO_DATA

EXPECTED = DATA / "malformed" / "expected.jsonl"
ROWS = [json.loads(line) for line in EXPECTED.read_text().splitlines()] if EXPECTED.exists() else []


def outcome(path) -> tuple[str, str]:
    """What became of it ("index", "reject", "needs_password", "crashed"), and the text or the reason."""
    try:
        parsed = sandbox.parse_in_child(path, path.name)
    except ParseError as error:
        names = {"encrypted": "needs_password", "crashed": "crashed"}
        return names.get(error.code, "reject"), error.message
    text = "".join(page.text for page in parsed.pages)
    return ("index" if text.strip() or parsed.attachments else "reject"), text


@pytest.mark.data
@pytest.mark.skipif(not ROWS, reason=NO_DATA)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"].split("/")[-1])
def test_a_malformed_file_ends_as_expected(row):
    found, told = outcome(DATA / row["file"])
    assert found != "crashed", told
    if row["expect"] != "either":
        assert found == row["expect"], told
    if row.get("must_contain") and found == "index":
        assert "".join(row["must_contain"].split()) in "".join(told.split())
    assert "Traceback" not in told


MUTATIONS = int(os.environ.get("PINCITE_TEST_MUTATIONS", "200"))
AT_ONCE = 2


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Cut off, with bits turned, with a stretch doubled, zeroed or taken out."""
    length = len(content)
    begin = chance.randrange(length)
    end = min(length, begin + chance.choice([1, 16, 400, 5_000]))
    stretch = content[begin:end]
    turned = bytes(byte ^ (1 << chance.randrange(8)) for byte in stretch)
    replacement = chance.choice(
        [b"", turned, stretch * 3, bytes(len(stretch)), chance.randbytes(len(stretch))]
    )
    changed = content[:begin] + replacement + content[end:]
    return changed[: chance.randrange(1, length)] if chance.random() < 0.2 else changed


def test_any_mutation_of_a_file_ends_with_a_result_or_a_reason(tmp_path):
    """Every format of the demo case file, broken at random: no parser's end is without a type."""
    chance = random.Random(11)  # noqa: S311 - the same mutations every time
    originals = sorted(path for path in demo.FILES.iterdir() if path.stat().st_size < 300_000)
    paths = []
    for number in range(MUTATIONS):
        original = originals[number % len(originals)]
        path = tmp_path / f"{number}-{original.name}"
        path.write_bytes(mutated(original.read_bytes(), chance))
        paths.append(path)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda path: outcome(path)[0], paths))
    assert len(ends) == MUTATIONS
    crashed = [path.name for path, end in zip(paths, ends, strict=True) if end == "crashed"]
    assert crashed == []
