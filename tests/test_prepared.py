"""Queries whose SQL is kept give what Django's own give."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from knowledge import access, generations, prepared
from knowledge.models import Document, Generation, Matter, Page, Passage, Version
from tests.test_access import make_passage


def fields(row) -> dict:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("model", [Passage, Version, Document, Matter])
def test_rows_are_those_that_django_reads(people, model):
    own, foreign = make_passage(people.matter), make_passage(people.foreign)
    Version.objects.filter(pk=own.version_id).update(metadata={"pages": [1, None]}, date=timezone.now())
    ids = list(model.objects.values_list("pk", flat=True))
    assert len(ids) >= 2
    found = prepared.by_id(model, ids)
    assert {pk: fields(row) for pk, row in found.items()} == {
        row.pk: fields(row) for row in model.objects.all()
    }
    assert foreign.version_id != own.version_id
    assert not next(iter(found.values()))._state.adding


def test_a_column_is_stored_as_django_stores_it_and_nothing_else(people):
    first, second, third = (make_passage(people.matter) for _ in range(3))
    first.vector, second.vector, second.heading = b"\x00\xff", None, "not stored"
    Passage.objects.filter(pk=third.pk).delete()
    prepared.store(Passage, "vector", [first, second, third])
    prepared.store(Passage, "vector", [])
    rows = Passage.objects.in_bulk([first.pk, second.pk, third.pk])
    assert {pk: (row.vector and bytes(row.vector), row.heading) for pk, row in rows.items()} == {
        first.pk: (b"\x00\xff", first.heading),
        second.pk: (None, ""),
    }


def test_rows_by_another_column(people):
    passage = make_passage(people.matter)
    [row] = prepared.rows_by(Passage, "version_id", [passage.version_id])
    assert row == passage
    assert row.generation == Generation.objects.get(pk=passage.generation_id)


def test_nothing_asked_for_is_nothing_asked(people, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert prepared.rows_by(Page, "id", []) == []


def test_some_columns_of_rows_by_two_others(people):
    passage, other = make_passage(people.matter), make_passage(people.matter)
    for version, number in ((passage.version, 1), (passage.version, 2), (other.version, 1)):
        Page.objects.get_or_create(version=version, number=number, defaults={"start": 0})
    labels = prepared.values(Page, ("version_id", "number"), version_id={passage.version_id}, number={1, 3})
    assert labels == [[passage.version_id, 1]]
    assert prepared.values(Page, ("label",), version_id={passage.version_id}, number=()) == []


def test_a_kept_query_counts_and_gives_another_column(people):
    make_passage(people.matter)
    generation, readable = generations.current(), generations.readable().count()
    for matter in (people.matter, people.foreign):
        lacking = generations.missing(generation).filter(document__matter=matter).count()
        assert generations.rebuilding(frozenset({matter.pk})) == lacking
    assert generations.rebuilding(frozenset({people.matter.pk, people.foreign.pk})) <= readable
    named = prepared.Prepared(lambda pk: Matter.objects.filter(pk=pk), column="name", pk=UUID(int=7))
    assert named.values(pk=people.matter.pk) == [people.matter.name]
    assert named.count(pk=people.matter.pk) == 1


def test_more_than_fit_into_one_statement(people, monkeypatch):
    passages = [make_passage(people.matter) for _ in range(5)]
    monkeypatch.setattr(prepared, "AT_ONCE", 2)
    ids = [passage.pk for passage in passages]
    assert set(prepared.by_id(Passage, ids)) == set(ids)


def test_the_kept_query_takes_the_values_of_each_call(people):
    now = timezone.now()
    for person in (people.reader, people.outsider, people.owner):
        expected = frozenset(access.open_to(person.pk, now).values_list("pk", flat=True))
        assert access.open_ids(person.pk) == expected
        for matter in (people.matter, people.foreign):
            assert access.open_ids(person.pk, matter.pk) == expected & {matter.pk}


def test_the_kept_query_knows_what_time_it_is(people):
    """A wall that begins later does not hold yet, although the query was built before."""
    assert access.open_ids(people.reader.pk) == {people.matter.pk}
    wall = people.matter.walls.create(
        user=people.reader, reason="…", since=timezone.now() + timedelta(hours=1)
    )
    assert access.open_ids(people.reader.pk) == {people.matter.pk}
    wall.since = timezone.now() - timedelta(hours=1)
    wall.save()
    assert access.open_ids(people.reader.pk) == frozenset()


def test_a_stand_in_that_is_not_found_again_is_refused(people):
    """A wall asked for at the time of the stand-in would stand open."""
    hidden = prepared.Prepared(
        lambda now: Matter.objects.filter(created__lte=now + timedelta(1)), now=timezone.now()
    )
    with pytest.raises(RuntimeError, match="now"):
        hidden.ids(now=timezone.now())


def test_an_id_that_is_a_text_is_refused(people):
    with pytest.raises(TypeError, match="matter_id"):
        access.open_ids(people.reader.pk, str(people.matter.pk))
