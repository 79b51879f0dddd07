"""Generations of the index: built beside the one that serves, switched when complete, rebuilt when lost."""

import shutil

import pytest
from django.test import Client

from ingestion import pipeline
from knowledge import access, documents, engines, generations, jobs, reconcile, search
from knowledge.index import IndexUnavailable, Where
from knowledge.models import Generation, Indexed, Job, Passage
from tests.conftest import People, make_people

pytestmark = pytest.mark.django_db(transaction=True)
SMALL = 120  # characters of a passage
LETTER = "The gantry crane failed on {day} March 2031. " + "It was repaired by the port's own engineers. " * 6


@pytest.fixture
def matter() -> People:
    """A matter with four letters, ingested."""
    people = make_people()
    for day in range(1, 5):
        documents.add(people.matter, f"{day}.txt", [LETTER.format(day=day).encode()], people.owner)
    work_off()
    return people


def work_off() -> int:
    """Do every job that is due, as a worker would; returns how many."""
    done = 0
    while (lease := jobs.claim_next()) is not None:
        pipeline.work(lease)
        done += 1
    return done


def found(people: People) -> set[str]:
    scope = access.scope_for(people.reader, people.matter)
    return {
        result.passage.version.document.path
        for result in search.retrieve(scope, "When did the crane fail?", 20)
    }


def smaller() -> generations.Recipe:
    recipe = generations.configured()
    return generations.Recipe(recipe.embedder, recipe.dimensions, SMALL, 0)


EVERYTHING = {"1.txt", "2.txt", "3.txt", "4.txt"}


def test_the_old_generation_serves_until_the_new_one_is_complete(matter):
    old = generations.current()
    new = generations.begin(smaller())
    pipeline.work(jobs.claim_next())  # one of four
    assert generations.advance() is None
    assert generations.current() == old
    assert found(matter) == EVERYTHING
    work_off()
    assert generations.advance() == new
    assert found(matter) == EVERYTHING
    assert all(len(row.text) <= SMALL for row in documents.passages(matter.matter))
    assert generations.sweep(older_than_seconds=0) == 1
    assert not Passage.objects.filter(generation=old.pk).exists()
    assert found(matter) == EVERYTHING


def test_a_document_that_comes_while_building_is_in_both(matter):
    new = generations.begin(smaller())
    added = documents.add(matter.matter, "5.txt", [LETTER.format(day=5).encode()], matter.owner)
    work_off()
    assert Indexed.objects.filter(version=added.version).count() == 2
    assert generations.advance() == new
    assert found(matter) == EVERYTHING | {"5.txt"}


def test_a_generation_that_begins_while_a_document_is_ingested_gets_it_too(matter):
    added = documents.add(matter.matter, "5.txt", [LETTER.format(day=5).encode()], matter.owner)
    lease = jobs.claim(added.version.job.pk)
    reading = pipeline.Reading(added.version, lease)
    reading.keep(reading.parse("later").pages)
    generations.begin(smaller())
    with pytest.raises(IndexUnavailable, match="new generation"):
        pipeline._settle(reading, has_attachments=False)
    jobs.retry_later(lease, "as the worker does")
    Job.objects.update(due_at=added.version.created)
    work_off()
    assert generations.advance() is not None
    assert found(matter) == EVERYTHING | {"5.txt"}


def test_building_goes_on_after_a_crash_and_nothing_is_done_twice(matter):
    new = generations.begin(smaller())
    pipeline.work(jobs.claim_next())
    engines.close()  # the process is gone, and another one opens what it left
    with pytest.raises(generations.AlreadyBuilding):
        generations.begin(smaller())
    assert work_off() == 3
    assert generations.advance() == new


def test_a_generation_can_be_given_up(matter):
    generations.begin(smaller())
    assert generations.abandon()
    work_off()
    assert generations.advance() is None
    assert found(matter) == EVERYTHING
    assert generations.sweep(older_than_seconds=0) == 1


@pytest.mark.parametrize("is_open", [True, False])
def test_a_deleted_index_is_rebuilt_and_until_then_search_never_says_that_nothing_was_found(matter, is_open):
    generation = generations.current()
    if not is_open:
        engines.close()
    shutil.rmtree(generations.index_config(generation).path)
    assert generations.restore() == 4
    api = Client(headers=matter.token(matter.reader))
    response = api.get(f"/api/v1/matters/{matter.matter.pk}/search", {"q": "crane"})
    assert response.status_code == 503
    assert response.json()["detail"] == "The index is being rebuilt: 4 documents to go."
    pipeline.work(jobs.claim_next())
    partly = api.get(f"/api/v1/matters/{matter.matter.pk}/search", {"q": "crane"}).json()
    assert (partly["rebuilding"], len({row["document_id"] for row in partly["results"]})) == (3, 1)
    work_off()
    assert generations.rebuilding(frozenset({matter.matter.pk})) == 0
    assert found(matter) == EVERYTHING


def test_a_rebuilt_index_is_the_same_and_embeds_nothing_again(matter):
    generation = generations.current()
    where = Where(frozenset({matter.matter.pk}))
    before = set(generations.index(generation).ids(where))
    vectors = dict(Passage.objects.values_list("pk", "vector"))
    engines.close()
    shutil.rmtree(generations.index_config(generation).path)
    generations.restore()
    Generation.objects.update(embedder_model="/nonexistent")  # nobody asks it
    work_off()
    assert set(generations.index(generation).ids(where)) == before
    assert dict(Passage.objects.values_list("pk", "vector")) == vectors


def test_a_broken_index_is_built_anew(matter):
    generation = generations.current()
    engines.close()
    for path in (generations.index_config(generation).path / "shard").rglob("*"):
        if path.is_file():
            path.write_bytes(b"broken")
    assert generations.restore() == 4
    work_off()
    assert found(matter) == EVERYTHING
    assert reconcile.run() == []


def test_a_file_goes_into_an_index_of_an_older_form_too(people):
    """After an upgrade, until `reindex` has renewed it."""
    generation = generations.current()
    engines.remove_index(generations.index_config(generation))
    Generation.objects.update(form=generations.NAMED_FORM - 1)
    try:
        documents.add(people.matter, "1.txt", [LETTER.format(day=1).encode()], people.owner)
        work_off()
        assert found(people) == {"1.txt"}
    finally:
        engines.remove_index(generations.index_config(generations.current()))
