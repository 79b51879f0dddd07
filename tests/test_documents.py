"""Taking files in: stored bytes, names, versions, and what is refused at the door."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from ingestion import pipeline
from knowledge import blobs, documents, generations, matters, paths
from knowledge.index import Where
from knowledge.models import Document, Job, Version
from tests.conftest import make_people


def test_document_version_and_job_come_together(people):
    added = documents.add(people.matter, "letters/a.txt", [b"one ", b"two"], people.member)
    assert added.is_new
    assert added.document.path == "letters/a.txt"
    assert blobs.path(people.matter.pk, added.version.sha256).read_bytes() == b"one two"
    assert Job.objects.get(version=added.version).state == Job.State.DUE


def test_the_same_bytes_under_the_same_path_are_kept_once(people):
    first = documents.add(people.matter, "a.txt", [b"same"], people.member)
    second = documents.add(people.matter, "a.txt", [b"same"], people.member)
    assert (second.is_new, second.version.pk) == (False, first.version.pk)
    assert Job.objects.count() == 1


def test_other_bytes_under_the_same_path_are_a_new_version(people):
    first = documents.add(people.matter, "a.txt", [b"old"], people.member)
    second = documents.add(people.matter, "a.txt", [b"new"], people.member)
    assert second.document == first.document
    assert [version.number for version in second.document.versions.all()] == [2, 1]


@pytest.mark.parametrize("content", [[], [b""], [b"", b""]])
def test_an_empty_file_is_refused_and_leaves_nothing(people, content):
    with pytest.raises(documents.Rejected, match="empty"):
        documents.add(people.matter, "a.txt", content, people.member)
    assert not Document.objects.exists()


def test_a_file_over_the_limit_is_refused_while_it_comes_in(people, settings):
    settings.MAX_FILE_BYTES = 1024 * 1024
    endless = (b"x" * 65536 for _ in range(10_000))
    with pytest.raises(documents.Rejected, match="limit of 1 MB"):
        documents.add(people.matter, "big.txt", endless, people.member)
    assert next(endless)  # it was not read to the end
    assert [path for path in blobs.folder(people.matter.pk).rglob("*") if path.is_file()] == []


def test_matters_do_not_share_blobs(people):
    first = documents.add(people.matter, "a.txt", [b"same"], people.owner)
    second = documents.add(people.foreign, "a.txt", [b"same"], people.outsider)
    assert blobs.path(people.matter.pk, first.version.sha256) != blobs.path(
        people.foreign.pk, second.version.sha256
    )


@pytest.mark.django_db(transaction=True)
def test_a_deleted_matter_leaves_neither_files_nor_points():
    people = make_people()
    added = documents.add(people.matter, "a.txt", [b"The rent is due on the first of May."], people.owner)
    pipeline.run(added.version.job.pk)
    where = Where(frozenset({people.matter.pk}))
    index = generations.index(generations.current())
    assert index.count(where) == 1
    matters.delete(people.matter)
    assert index.count(where) == 0
    assert not blobs.folder(added.document.matter_id).exists()
    assert not Document.objects.exists()


def test_the_listing_shows_the_newest_version(people):
    documents.add(people.matter, "a.txt", [b"old"], people.member)
    documents.add(people.matter, "a.txt", [b"newer"], people.member)
    [row] = documents.listing(people.matter)
    assert (row.version_number, row.size, row.state) == (2, 5, Version.State.WAITING)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd.pdf", "etc/passwd.pdf"),
        ("..\\..\\evil.docx", "evil.docx"),
        ("/absolute/path.txt", "absolute/path.txt"),
        ("con.pdf", "_con.pdf"),
        ("file\x00.pdf", "file.pdf"),
        ("résumé \u202egpj.exe.pdf", "résumé gpj.exe.pdf"),
        (" contract.pdf ", "contract.pdf"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("<script>alert(1)</script>.txt", "<script>alert(1)</script>.txt"[:16] + "<" + "/script>.txt"),
    ],
)
def test_names_are_made_safe_to_store(name, expected):
    assert paths.clean(name) == expected


@given(st.text(max_size=1200))
def test_any_name_becomes_a_relative_path_that_fits(name):
    cleaned = paths.clean(name)
    assert 0 < len(cleaned) <= paths.LONGEST
    assert not cleaned.startswith("/")
    assert ".." not in cleaned.split("/")
    assert "\x00" not in cleaned
    assert paths.clean(cleaned) == cleaned


@pytest.mark.django_db(transaction=True)
def test_uploads_and_deletions_at_once_never_lose_the_bytes_of_a_document():
    people = make_people()

    def work(number: int) -> None:
        try:
            added = documents.add(people.matter, f"{number % 4}.txt", [b"the same bytes"], people.owner)
            if number % 3 == 0:
                documents.delete(added.document)
        except Document.DoesNotExist:
            pass  # another thread deleted it in between
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(40)))
    documents.add(people.matter, "last.txt", [b"the same bytes"], people.owner)
    for version in Version.objects.select_related("document"):
        assert blobs.path(people.matter.pk, version.sha256).read_bytes() == b"the same bytes"
    assert list(blobs.folder(people.matter.pk).glob("incoming-*")) == []
