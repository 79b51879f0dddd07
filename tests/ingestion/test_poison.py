"""Poison: a file that breaks its parser, among a hundred good ones."""

import textwrap

import pytest

from ingestion import sandbox
from knowledge import documents
from knowledge.models import Job, Version
from tests.conftest import make_people
from tests.test_generations import work_off

GOOD = 100
# In the parser's place stands a program that is hostile to one file; the others are read as ever.
CHILD = """
import runpy, sys, json
from pathlib import Path
sys.path.insert(0, {root!r})
name = sys.argv[3] if len(sys.argv) > 3 else ""
if name.startswith("poison"):
    from ingestion.parse.confine import confine
    confine(json.loads(sys.argv[1]))
    {harm}
sys.argv[0] = {parser!r}
runpy.run_path({parser!r}, run_name="__main__")
"""
HARMS = {
    "segfault": ("import ctypes; ctypes.string_at(0)", "crashed", 3),
    "memory": ("x = bytearray(8_000_000_000)", "memory", 1),
    "endless": ("while True: pass", "too long", 1),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("harm", HARMS)
def test_a_poison_file_is_quarantined_and_its_neighbours_are_not_touched(tmp_path, monkeypatch, harm):
    code, reason, attempts = HARMS[harm]
    child = tmp_path / "child.py"
    root = str(sandbox.CHILD.parent.parent.parent)
    child.write_text(textwrap.dedent(CHILD).format(root=root, parser=str(sandbox.CHILD), harm=code))
    monkeypatch.setattr(sandbox, "CHILD", child)
    monkeypatch.setattr(sandbox.parse_in_child, "__defaults__", (sandbox.Limits(silent_seconds=2),))
    people = make_people()
    for number in range(GOOD if harm == "segfault" else 5):
        documents.add(people.matter, f"{number}.txt", [f"Good letter {number}.".encode()], people.owner)
    poison = documents.add(people.matter, "poison.txt", [b"poison"], people.owner)
    while Version.objects.filter(state__in=Version.WORKING).exists():
        work_off()
        Job.objects.filter(state=Job.State.DUE).update(due_at=poison.version.created)
    version = Version.objects.get(pk=poison.version.pk)
    assert version.state == Version.State.FAILED
    assert reason in version.note
    assert version.job.attempts == attempts
    others = Version.objects.exclude(pk=version.pk)
    assert set(others.values_list("state", flat=True)) == {Version.State.SEARCHABLE}
