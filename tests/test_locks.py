"""Two locks on every retrieval: the filter in the index, and the database's own check of each passage.

Each is switched off in turn: the other still holds, and the probe of the one that is off notices.
"""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AnonymousUser

from knowledge import access, engines, generations, search
from knowledge.index import DENSE, Ask, Point, Where
from knowledge.index.edge import EdgeIndex
from knowledge.models import Passage
from tests.test_access import make_passage

QUERY = "text"


@pytest.fixture
def passages(people) -> Iterator[tuple[Passage, Passage]]:
    """One of the reader's matter and one of another, both really in the index."""
    own, foreign = make_passage(people.matter), make_passage(people.foreign)
    generation = generations.current()
    dense = generations.embedder(generation).embed_query(QUERY)
    index = generations.index(generation)
    for passage in (own, foreign):
        document = passage.version.document
        index.upsert([Point(passage.pk, dense, QUERY, document.matter_id, document.pk, passage.version_id)])
    yield own, foreign
    index.delete_points([own.pk, foreign.pk])


def index_off(monkeypatch) -> None:
    monkeypatch.setattr(Where, "conditions", lambda self, tenant="": [])


def database_off(monkeypatch) -> None:
    def anything(scope, ids):
        return Passage.objects.select_related("version__document").in_bulk(ids)

    monkeypatch.setattr(search, "readable", anything)


def found(people) -> set:
    results = search.retrieve(access.scope_for(people.reader), QUERY)
    return {result.passage.pk for result in results}


def index_gives(people) -> set:
    """What the first lock alone lets through."""
    generation = generations.current()
    scope = access.scope_for(people.reader)
    dense = generations.embedder(generation).embed_query(QUERY)
    where = Where(scope.matter_ids, scope.document_ids)
    [hits] = generations.index(generation).ask([Ask(DENSE, dense, where, 50)])
    return {hit.id for hit in hits}


def database_gives(people, passages) -> set:
    """What the second lock alone lets through."""
    return set(search.readable(access.scope_for(people.reader), [passage.pk for passage in passages]))


def test_both_locks_hold_by_themselves(people, passages):
    own, _ = passages
    assert found(people) == index_gives(people) == database_gives(people, passages) == {own.pk}


def test_without_the_filter_in_the_index_the_database_holds(people, passages, monkeypatch):
    own, foreign = passages
    index_off(monkeypatch)
    assert foreign.pk in index_gives(people)  # the probe notices
    assert found(people) == {own.pk}


def test_without_the_check_of_the_database_the_index_holds(people, passages, monkeypatch):
    own, foreign = passages
    database_off(monkeypatch)
    assert foreign.pk in database_gives(people, passages)  # the probe notices
    assert found(people) == {own.pk}


def test_without_both_the_foreign_passage_is_found(people, passages, monkeypatch):
    """So that the tests above prove something."""
    index_off(monkeypatch)
    database_off(monkeypatch)
    assert passages[1].pk in found(people)


@pytest.mark.parametrize("which", ["nobody", "no documents"])
def test_an_empty_scope_costs_no_call_to_the_engine(people, passages, monkeypatch, which):
    """Neither through retrieval nor by asking the index directly, in none of its methods."""
    scope = (
        access.scope_for(AnonymousUser()) if which == "nobody" else access.scope_for(people.reader, None, [])
    )
    assert scope.is_empty
    calls: list[str] = []
    engine = EdgeIndex._engine
    monkeypatch.setattr(
        EdgeIndex, "_engine", property(lambda self: calls.append("engine") or engine.fget(self))
    )
    monkeypatch.setattr(engines, "embedder", lambda *_: pytest.fail("the embedder was asked"))
    assert search.retrieve(scope, QUERY) == []
    index, where = generations.index(generations.current()), Where(scope.matter_ids, scope.document_ids)
    assert (index.count(where), list(index.ids(where))) == (0, [])
    assert calls == []
