"""What exact search reads follows the documents: with each page that is stored, changed or deleted."""

import pytest
from django.db import connection, transaction

from ingestion import pipeline
from knowledge import documents, jobs, reconcile, wordings
from knowledge.exact import reading, store
from knowledge.models import Document, Job, Version, Wording
from knowledge.query import parse
from tests import corpus
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db


def candidates(query: str) -> set[str]:
    """The paths of the documents that the database's own index finds."""
    node = parse(query, literally=True).exact
    rows = Wording.objects.filter(store.candidates(node))
    return set(rows.values_list("version__document__path", flat=True))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("harbour", {"a", "b"}),
        ("harbour AND fee", {"a"}),
        ('"harbour fee"', {"a"}),
        ("fee OR crane", {"a", "b"}),
        ("cran*", {"b"}),
        ("h?rbour AND muller", {"b"}),
        ("§", {"b"}),
        ("契約", {"c"}),
        ("zebra", set()),
    ],
)
def test_the_index_of_either_database_finds_candidates(people, query, found):
    corpus.add(people.matter, "a", "The harbour fee.")
    corpus.add(people.matter, "b", "Harbour crane of Müller, § 5.")
    corpus.add(people.matter, "c", "契約です。")
    assert candidates(query) == found


def test_the_index_follows_every_change_of_a_row(people):
    version = corpus.add(people.matter, "a", "The harbour fee.")
    version.pages.update(text="The crane.\n")
    wordings.keep(version)
    assert candidates("harbour") == set()
    assert candidates("crane") == {"a"}
    with transaction.atomic():
        version.document.delete()
        transaction.set_rollback(True)
    assert candidates("crane") == {"a"}
    Document.objects.all().delete()
    assert candidates("crane") == set()
    assert store.is_sound()


def test_a_text_with_more_words_than_the_index_of_a_row_takes_stays_a_candidate(people):
    words = " ".join(f"word{number}" for number in range(40_000))
    corpus.add(people.matter, "long", words)
    assert candidates("word39999") == {"long"}


def test_offsets_lead_back_to_the_text_also_where_a_scan_was_read_later(people):
    version = corpus.add(people.matter, "a", "One “Müller” two.", "Four.")
    version.pages.filter(number=2).update(number=3)
    end = version.characters
    version.pages.create(number=2, label="2", kind="ocr", start=end, text="Three.\n")
    wordings.keep(version)
    row, text = Wording.objects.get(), version.text()
    starts, lengths = reading.ints(row.starts), list(bytes(row.lengths))
    said = [text[start : start + size] for start, size in zip(starts, lengths, strict=True)]
    assert said == ["One", "Müller", "two", "Three", "Four"]
    assert reading.ints(row.pages).reshape(-1, 2).tolist() == [[1, 0], [2, 3], [3, 4]]
    assert row.kinds == 0b011


@pytest.mark.django_db(transaction=True)
def test_ingestion_keeps_the_words_and_what_is_deleted_or_replaced_is_found_no_more(people):
    work_off()
    reconcile.run(young_seconds=0)  # what other tests left
    documents.add(people.matter, "a.txt", [b"The harbour fee is due."], people.owner)
    work_off()
    assert candidates("harbour") == {"a.txt"}
    documents.add(people.matter, "a.txt", [b"The crane is late."], people.owner)
    work_off()
    current = Wording.objects.get(version__current_of__path="a.txt")
    assert current.terms == "crane is late the"
    assert reconcile.run(young_seconds=0) == []
    documents.delete(Document.objects.get(path="a.txt"))
    assert not Wording.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_loses_its_job_leaves_neither_pages_nor_words(people):
    added = documents.add(people.matter, "a.txt", [b"The harbour fee is due."], people.owner)
    lease = jobs.claim(added.version.job.pk)
    reading_ = pipeline.Reading(added.version, lease)
    parsed = reading_.parse("later")
    Job.objects.update(fence=99)
    with pytest.raises(jobs.LeaseLost):
        reading_.keep(parsed.pages)
    assert not Wording.objects.exists()
    assert not added.version.pages.exists()


@pytest.mark.django_db(transaction=True)
def test_reconciling_repairs_words_that_are_missing_of_another_text_or_by_older_rules(people):
    reconcile.run(young_seconds=0)
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        documents.add(people.matter, name, [f"The harbour fee of {name}.".encode()], people.owner)
    work_off()
    rows = Wording.objects.filter
    rows(version__document__path="a.txt").delete()
    rows(version__document__path="b.txt").update(characters=1)
    rows(version__document__path="c.txt").update(edition=0)
    findings = reconcile.run(young_seconds=0)
    assert [finding.kind for finding in findings] == ["document whose words were not those of its text"] * 3
    assert candidates("harbour") == {"a.txt", "b.txt", "c.txt", "d.txt"}
    assert reconcile.run(young_seconds=0) == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps its indexes itself")
def test_an_index_that_says_other_rows_or_other_words_is_not_sound(people):
    versions = [corpus.add(people.matter, name, "The harbour fee.") for name in ("a", "b")]
    assert store.is_sound()
    terms = Wording.objects.get(version=versions[0]).terms
    assert "harbour" in terms.split()
    for changed in (terms.replace("harbour", "crane"), terms.replace("harbour", ""), f"{terms} crane"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER knowledge_wording_update")
            Wording.objects.filter(version=versions[0]).update(terms=changed)
            assert not store.is_sound()
            transaction.set_rollback(True)
    assert store.is_sound()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no one lock for all who write")
@pytest.mark.django_db(transaction=True)
def test_the_index_is_checked_while_somebody_else_writes(people):
    corpus.add(people.matter, "a", "The harbour fee.")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            connection.cursor().execute("PRAGMA busy_timeout = 0")
            assert store.is_sound()
            cursor.execute("ROLLBACK")
    finally:
        other.close()
        connection.cursor().execute("PRAGMA busy_timeout = 30000")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps its indexes itself")
@pytest.mark.django_db(transaction=True)
def test_an_index_that_lost_its_triggers_is_built_again(people):
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER knowledge_wording_insert")
    version = corpus.add(people.matter, "a", "The harbour fee.")
    assert candidates("harbour") == set()
    assert wordings.repair_index()
    assert candidates("harbour") == {"a"}
    assert not wordings.repair_index()
    Version.objects.get(pk=version.pk).document.delete()
    assert store.is_sound()
