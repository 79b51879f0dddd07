"""Rows, stored files and points are compared in both directions; a second run finds nothing."""

from uuid import uuid4

import numpy as np
import pytest

from ingestion import pages, pipeline
from knowledge import access, blobs, documents, generations, jobs, reconcile, search
from knowledge.index import Point, Where
from knowledge.models import Document, Job, Version
from tests.conftest import make_people
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db(transaction=True)
EACH = 15


@pytest.fixture
def people():
    reconcile.run(young_seconds=0)  # what other tests left
    people = make_people()
    for number in range(6 * EACH):
        text = f"Invoice {number}: the harbour fee of day {number} is EUR {number}50."
        documents.add(people.matter, f"{number:03}.txt", [text.encode()], people.owner)
    work_off()
    return people


def versions(group: int) -> list[Version]:
    rows = Version.objects.select_related("document").order_by("document__path")
    return list(rows[group * EACH : (group + 1) * EACH])


def stray_point(people) -> Point:
    vector = np.ones(384, np.float32) / np.sqrt(384)
    return Point(uuid4(), vector, "nobody's", people.matter.pk, uuid4(), uuid4())


def test_a_healthy_service_has_no_findings(people):
    assert reconcile.run(young_seconds=0) == []


def break_the_index(people) -> None:
    index = generations.index(generations.current())
    for version in versions(0):
        index.delete_version(version.pk)
    index.upsert([stray_point(people) for _ in range(EACH)])


def break_the_files(people) -> None:
    for number in range(EACH):  # files that no row names
        folder = blobs.folder(people.matter.pk) / "00"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:064x}").write_bytes(b"stray")
    for version in versions(1):  # rows whose file is gone
        blobs.delete(people.matter.pk, version.sha256)
    for _ in range(10):  # folders of matters that are gone
        (blobs.root() / str(uuid4()) / "00").mkdir(parents=True)


def break_the_rows() -> None:
    for version in versions(2):  # waiting for a job that does not exist
        Job.objects.filter(version=version).delete()
        Version.objects.filter(pk=version.pk).update(state=Version.State.PROCESSING)
    for version in versions(3):  # readable, but not read
        Document.objects.filter(pk=version.document_id).update(current=None)


def test_a_hundred_inconsistencies_are_found_and_repaired_or_reported(people):
    break_the_index(people)
    break_the_files(people)
    break_the_rows()
    findings = reconcile.run(young_seconds=0)
    assert len(findings) == 6 * EACH + 10
    assert sum(not finding.is_repaired for finding in findings) == EACH  # lost bytes cannot be made again
    work_off()
    assert reconcile.run(young_seconds=0) == []

    for group in (0, 2, 3):
        for version in versions(group):
            version.refresh_from_db()
            assert version.state == Version.State.SEARCHABLE
            assert version.document.current == version
    for version in versions(1):
        assert "stored file is gone" in Version.objects.get(pk=version.pk).note
    index = generations.index(generations.current())
    assert index.count(Where(frozenset({people.matter.pk}))) == 6 * EACH
    scope = access.scope_for(people.owner, people.matter)
    assert len(search.retrieve(scope, "harbour fee", 50)) == 50


def test_work_in_progress_is_left_alone(people):
    added = documents.add(people.matter, "new.txt", [b"A new letter."], people.owner)
    lease = jobs.claim(added.version.job.pk)
    reading = pipeline.Reading(added.version, lease)
    parsed = reading.parse("later")
    pages.describe(lease, added.version, parsed)
    reading.keep(parsed.pages)
    assert reconcile.run(young_seconds=0) == []
    pipeline._settle(reading, has_attachments=False)
    assert reconcile.run(young_seconds=0) == []


def test_a_file_that_has_just_come_is_no_stray(people):
    folder = blobs.folder(people.matter.pk)
    (folder / "incoming-abc").write_bytes(b"half")
    assert reconcile.run() == []
    assert (folder / "incoming-abc").exists()
