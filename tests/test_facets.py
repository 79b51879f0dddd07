"""What stands beside a search counts what its links find; finding by many ids, and by parts of words."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from knowledge import access, lookup, search
from knowledge.exact import finding
from knowledge.listed import among
from knowledge.models import Correspondent, Document
from knowledge.query import QueryError, parse
from tests import corpus

pytestmark = pytest.mark.django_db
NAMES = ["J. Smith", "J. Smith Jr", "Smith", 'J. "Jack" Smith', "j. smith", " - ", "張偉", 'a\\b (c) "', "=x"]


def test_what_a_facet_counts_is_what_its_link_finds(people, settings):
    """Also of values that hold each other's words, and of a day of another year where the service is."""
    settings.TIME_ZONE = "Asia/Tokyo"
    for number, name in enumerate(NAMES * 2):
        at = datetime(2021, 12, 31, 23, 30 - number, tzinfo=UTC)
        version = corpus.add(
            people.matter, f"{number}", "The notice.", kind="email", custodian=name, author=name, date=at
        )
        for role in ("from", "from", "to"):
            Correspondent.objects.create(version=version, role=role, name=name, address="a@firm.example")
    corpus.add(people.matter, "early", "The notice.", kind="pdf", date=datetime(2021, 6, 1, tzinfo=UTC))
    facets = lookup.find(access.scope_for(people.reader, people.matter), '"notice"').facets
    values = [(facet.name, value) for facet in facets for value in facet.values]
    assert {name for name, _ in values} >= {"Year", "Custodian", "Author", "Sender"}
    assert ("date:2022", len(NAMES) * 2) in [(each.term, each.documents) for _, each in values]
    for _, value in values:
        assert len(found_at_all(people, f'"notice" {value.term}')) == value.documents, value


def found_at_all(people, query: str) -> set:
    scope = access.scope_for(people.reader, people.matter)
    return {each.document_id for each in finding.matches(scope, parse(query).exact)}


def test_the_beginning_of_a_word_is_found_in_a_script_without_spaces(people):
    corpus.add(people.matter, "chinese", "本合同纠纷由法院管辖。")
    corpus.add(people.matter, "other", "本同合。")
    for query in ("合同*", "*合同*", "合同* AND 法院", "(纠纷* OR zebra)"):
        assert len(found_at_all(people, query)) == 1, query
    with pytest.raises(QueryError):
        parse("合*同")


def test_many_documents_are_told_to_the_database_at_once(people):
    """More than any database takes as values of one query."""
    many = [uuid4() for _ in range(40_000)]
    for name in ("a", "b"):
        corpus.add(people.matter, name, "The notice.")
    scope = access.scope_for(people.reader, people.matter)
    inner = access.narrowed(scope, [*many, *Document.objects.values_list("pk", flat=True)])
    assert lookup.find(inner, '"notice"').documents == 2
    assert access.documents_in(inner).count() == 2
    assert search.readable(inner, [uuid4()]) == {}
    assert Document.objects.filter(pk__in=among(many)).count() == 0
    assert access.scope_for(people.reader, people.matter, many).is_empty
