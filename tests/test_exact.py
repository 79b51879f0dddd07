"""Exact search is complete: every document and place that the definition names, in scope alone."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from knowledge import access, documents, lookup
from knowledge.exact import finding, report
from knowledge.models import Correspondent, Document, Membership, SavedSearch
from knowledge.query import Literal, parse
from knowledge.query.tree import leaves
from tests import corpus, oracle
from tests.conftest import make_people
from tests.test_generations import work_off

WORDS = st.sampled_from(["ab", "abc", "abd", "bc", "cd", "5,000", "Müller", "§"])
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(
    lambda words: f"x {' '.join(words)}.".replace("x", "Ce")
)
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=3).map(" ".join)
TEXTS = st.lists(PARAGRAPHS, min_size=0, max_size=3).map("\n\n".join)
PARTS = st.sampled_from(
    [
        "ab",
        "bc",
        "cd",
        "ab*",
        "?bc",
        "*bc",
        "5000",
        "MULLER",
        "§",
        '"ab bc"',
        '"ab* cd"',
        '"bc ce ab"',
        "(ab OR bc)",
        "zebra",
    ]
)
NEAR = st.sampled_from("/1 /2 /5 /s /p pre/1 pre/3 pre/s pre/p".split())


def grown(inner):
    two = st.tuples(inner, st.sampled_from(["AND", "OR", "AND NOT", "OR NOT"]), inner)
    return two.map(lambda each: f"({' '.join(each)})") | inner.map(lambda each: f"NOT ({each})")


LEAVES = (
    PARTS
    | st.tuples(PARTS, NEAR, PARTS).map(" ".join)
    | st.tuples(PARTS, NEAR, PARTS, NEAR, PARTS).map(" ".join)
)
QUERIES = st.recursive(LEAVES, grown, max_leaves=5)


class TestAgainstTheDefinition(TestCase):
    """On whichever database the tests run."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(QUERIES, min_size=1, max_size=4))
    @example(["Ce ab bc. Ce cd.", ""], ["NOT (ab)", "ab /s cd", "ab /p cd"])
    def test_the_engine_finds_what_the_definition_names(self, texts, queries):
        people = make_people()
        scope = access.scope_for(people.reader, people.matter)
        for number, text in enumerate(texts):
            corpus.add(people.matter, f"{number}", text)
            corpus.add(people.foreign, f"{number}", text)
        for query in queries:
            node = parse(query, literally=True).exact
            found = {
                each.version_id: set(zip(each.places.first.tolist(), each.places.last.tolist(), strict=True))
                for each in finding.matches(scope, node)
            }
            expected = {
                document.current_id: places
                for document in Document.objects.filter(matter=people.matter)
                if (places := oracle.places(node, oracle.read(texts[int(document.path)]))) is not None
            }
            assert found == expected, query


@pytest.fixture
def matter(people):
    """A few documents with everything that fields ask for."""
    first = corpus.add(
        people.matter,
        "letters/notice of delay.txt",
        "The buyer gave notice of the delay.\n\nThe supplier’s liability for force majeure is excluded.",
        "Force\nmajeure, FORCE MAJEURE. Termination needs notice; see § 5.2 and 42 U.S.C. § 1983.",
        kind="email",
        author="Imogen Tarrish",
        custodian="J. Smith",
        title="Delay",
        language="en",
        date=datetime(2020, 3, 1, 12, tzinfo=UTC),
        bates_first="ABC000120",
        bates_last="ABC000121",
    )
    Correspondent.objects.create(
        version=first, role="from", name="Imogen Tarrish", address="i@tarrish.example"
    )
    Correspondent.objects.create(version=first, role="to", name="Müller", address="m@court.example")
    corpus.add(
        people.matter,
        "minutes_2021.pdf",
        "The board discussed terminating the contract. No notice was given.",
        kind="pdf",
        date=datetime(2021, 12, 31, 23, 30, tzinfo=UTC),
    )
    corpus.add(people.foreign, "secret.txt", "Force majeure notice termination delay.", kind="pdf")
    return people.matter


def found(person, matter, query) -> set[str]:
    result = lookup.find(access.scope_for(person, matter), query)
    assert result.documents == len(result.groups)
    return {group.entry.name for group in result.groups}


LETTER, MINUTES = "notice of delay.txt", "minutes_2021.pdf"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('"force majeure"', {LETTER}),
        ("terminat*", {LETTER, MINUTES}),
        ("notice AND NOT delay", {MINUTES}),
        ("board /5 terminat*", {MINUTES}),
        ("board /s notice", set()),
        ("board /p notice", {MINUTES}),
        ("buyer /p liability", set()),
        ('"§ 1983" OR zebra', {LETTER}),
        ('"42 USC"', set()),
        ('"42 u.s.c."', {LETTER}),
        ("type:email", {LETTER}),
        ("type:pdf notice*", {MINUTES}),
        ("date:2020", {LETTER}),
        ("date:>2020-03-01", {MINUTES}),
        ("date:2020-03-01..2021-12-31", {LETTER, MINUTES}),
        ("date:..2020-02", set()),
        ("custodian:smith", {LETTER}),
        ("author:tarr*", {LETTER}),
        ("sender:tarrish.example", {LETTER}),
        ("recipient:muller", {LETTER}),
        ("recipient:tarrish", set()),
        ("bates:ABC000121", {LETTER}),
        ("bates:ABC000122..ABC000500", set()),
        ("file:letters", {LETTER}),
        ("file:minutes*", {MINUTES}),
        ("title:delay", {LETTER}),
        ("language:en", {LETTER}),
        ("pages:text", {LETTER, MINUTES}),
        ("pages:ocr", set()),
        ("NOT type:email", {MINUTES}),
        ("(type:email OR board) AND notice", {LETTER, MINUTES}),
        ("(type:pdf AND delay) OR (type:email AND board)", set()),
    ],
)
def test_queries_over_text_and_fields(people, matter, query, names):
    assert found(people.reader, matter, query) == names
    assert found(people.outsider, matter, query) == set()


def test_places_are_counted_shown_and_lead_to_their_page(people, matter):
    result = lookup.find(access.scope_for(people.reader, matter), '"force majeure"')
    [group] = result.groups
    assert (result.documents, result.places, group.count) == (1, 3, 3)
    text = Document.objects.get(pk=group.entry.document_id).current.text()
    assert [place.page for place in group.places] == [1, 2]
    assert text[group.places[0].start : group.places[0].end] == "force majeure"
    marked = [piece.text for place in group.places for piece in place.snippet if piece.is_marked]
    assert marked == ["force majeure", "Force\nmajeure", "FORCE MAJEURE"]


def test_a_phrase_may_go_on_on_the_next_page(people):
    corpus.add(people.matter, "a", "It ends with force", "majeure and more.")
    [group] = lookup.find(access.scope_for(people.reader, people.matter), '"force majeure"').groups
    assert [piece.text for piece in group.places[0].snippet if piece.is_marked] == ["force"]


def test_what_was_found_is_complete_over_many_pages(people):
    for number in range(45):
        corpus.add(people.matter, f"{number:02}", "The harbour fee. " * (number + 1))
    scope = access.scope_for(people.reader, people.matter)
    shown = [lookup.find(scope, '"harbour fee"', lookup.Wanted(page)) for page in (1, 2, 3)]
    assert [(each.documents, each.places, each.pages) for each in shown] == [(45, 1035, 3)] * 3
    names = [group.entry.name for each in shown for group in each.groups]
    assert names == [f"{number:02}" for number in reversed(range(45))]


def test_facets_count_what_was_found_in_the_scope(people, matter):
    facets = lookup.find(access.scope_for(people.reader, matter), "notice AND (bo* OR the)").facets
    values = {facet.name: {value.term: value.documents for value in facet.values} for facet in facets}
    assert values["Type"] == {"type:email": 1, "type:pdf": 1}
    assert values["Year"] == {"date:2020": 1, "date:2021": 1}
    assert values["Custodian"] == {'custodian:="J. Smith"': 1}
    assert values["Sender"] == {'sender:="Imogen Tarrish"': 1}
    assert values["Pages"] == {"pages:text": 2}
    for facet in facets:
        for value in facet.values:
            assert (
                len(found(people.reader, matter, f"(notice AND (bo* OR the)) {value.term}"))
                == value.documents
            )


def test_somebody_who_was_let_out_finds_nothing_with_an_old_scope(people, matter):
    scope = access.scope_for(people.reader, matter)
    Membership.objects.filter(user=people.reader).delete()
    assert lookup.find(scope, "notice AND the").documents == 0


def test_an_empty_scope_asks_nothing_of_the_database(people, matter, django_assert_num_queries):
    scope = access.scope_for(people.outsider, matter)
    with django_assert_num_queries(0):
        assert list(finding.matches(scope, parse('"force majeure"').exact)) == []


HOSTILE = [
    '" OR 1=1 --',
    "'; DROP TABLE knowledge_wording; --",
    "a AND *",
    "NEAR(a b, 5)",
    "terms:a",
    "a^2 AND b",
    "{a} AND b",
    "x" * 10_000,
    "(" * 5_000,
    '"' * 3_001,
    "the AND of AND a",
    "\x00 AND \x00",
    "zebra\x00",
    "a AND (b OR (c AND (" * 8 + "zebra" + ")" * 24,
    "ａｂ AND 中文 AND עברית",
    "a AND \\",
    "%_ AND a",
    "a:b AND c",
    '{"match_all": {}}',
    "AND",
    "NOT",
    "()",
    "a' AND 'b",
    "sqlite_master AND pg_sleep",
    "\ud83d\ude00 AND a",
    '"a" & !b | c:*',
    "date:'2020",
    "-a AND +b",
    "a /99999999999999999999 b",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_whatever_is_typed_gives_a_result_or_a_message_in_page_and_rest(people, matter, query):
    query = query.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    page = signed_in(people.reader).get(reverse("search", args=[matter.pk]), {"q": f"{query} AND zebra"})
    rest = Client(headers=people.token(people.reader)).get(
        f"/api/v1/matters/{matter.pk}/search", {"q": f"{query} AND zebra"}
    )
    assert page.status_code == rest.status_code
    assert page.status_code in {200, 422}
    assert "secret.txt" not in page.content.decode()
    if rest.status_code == 422:
        [error] = rest.json()["errors"]
        assert error["detail"] in page.content.decode().replace("&quot;", '"').replace("&#x27;", "'").replace(
            "&gt;", ">"
        )
        assert error["start"] < error["end"]


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_mistake_is_shown_where_it_is(people, matter):
    response = signed_in(people.reader).get(reverse("search", args=[matter.pk]), {"q": "notice AND (delay"})
    assert response.status_code == 422
    assert "notice AND <mark>(</mark>delay" in response.content.decode()
    assert "This bracket is never closed. (At character 12.)" in response.content.decode()


def test_the_page_shows_how_it_was_read_what_was_found_and_how_to_narrow_it(people, matter):
    client = signed_in(people.reader)
    page = client.get(reverse("search", args=[matter.pk]), {"q": "notice OR delay"}).content.decode()
    assert "<strong>2 documents, 4 places.</strong>" in page
    assert "?q=%28notice%20OR%20delay%29%20type%3Apdf" in page
    assert "<mark>notice</mark>" in page
    document = Document.objects.get(path__startswith="letters")
    alone = client.get(reverse("search", args=[matter.pk]), {"q": "notice OR delay", "document": document.pk})
    assert "<strong>1 document, 3 places.</strong>" in alone.content.decode()
    foreign = Document.objects.get(path="secret.txt")
    hidden = client.get(reverse("search", args=[matter.pk]), {"q": "notice OR delay", "document": foreign.pk})
    assert hidden.status_code == 404


def test_the_report_counts_each_term_and_what_it_alone_finds(people, matter):
    client = signed_in(people.reader)
    address = reverse("search_report", args=[matter.pk])
    response = client.post(address, {"terms": 'notice\n"force majeure"\nboard\n=zebra'})
    rows = list(csv.reader(io.StringIO(response.content.decode())))
    assert rows[0] == list(report.HEAD)
    assert [row[2:] for row in rows[1:]] == [
        ["2", "3", "0"],
        ["1", "3", "0"],
        ["1", "1", "0"],
        ["0", "0", "0"],
    ]
    assert rows[4][0] == "'=zebra"
    of_query = client.get(address, {"q": 'zebra OR "force majeure"'}).content.decode()
    assert [row[2:] for row in csv.reader(io.StringIO(of_query))][1:] == [["0", "0", "0"], ["1", "3", "1"]]
    wrong = client.post(address, {"terms": "notice\n(board"})
    assert wrong.status_code == 422
    assert "Line 2" in wrong.content.decode()
    rest = Client(headers=people.token(people.reader)).post(
        f"/api/v1/matters/{matter.pk}/searches/report", {"terms": ["board"]}, content_type="application/json"
    )
    assert rest.content.decode().splitlines()[1] == 'board,"""board""",1,1,1'


def test_searches_are_saved_for_oneself(people, matter):
    client = signed_in(people.reader)
    address = reverse("save_search", args=[matter.pk])
    client.post(address, {"name": "Delay", "q": "delay AND notice"})
    client.post(address, {"name": "Delay", "q": "delay /s notice"})
    told = client.post(address, {"name": "Broken", "q": "(delay"}, follow=True)
    assert "never closed" in told.content.decode()
    assert SavedSearch.objects.get().query == "delay /s notice"
    assert "Delay" in client.get(reverse("search", args=[matter.pk])).content.decode()
    assert (
        "Delay</a>" not in signed_in(people.owner).get(reverse("search", args=[matter.pk])).content.decode()
    )
    client.post(reverse("forget_search", args=[SavedSearch.objects.get().pk]))
    assert not SavedSearch.objects.exists()


def test_rest_gives_the_same_and_says_that_it_is_complete(people, matter):
    api = Client(headers=people.token(people.reader))
    body = api.get(f"/api/v1/matters/{matter.pk}/search", {"q": "notice OR delay", "order": "name"}).json()
    assert (body["is_complete"], body["documents"], body["places"]) == (True, 2, 4)
    assert [group["document"] for group in body["groups"]] == [
        "minutes_2021.pdf",
        "letters/notice of delay.txt",
    ]
    assert body["read_as"] == '"notice" OR "delay"'


@given(QUERIES)
def test_the_terms_of_any_query_can_be_reported(query):
    node = parse(query, literally=True).exact
    assert len(report.terms_of(query)) <= max(
        1, len([leaf for leaf in leaves(node) if isinstance(leaf, Literal)])
    )


@pytest.mark.django_db(transaction=True)
def test_words_rank_what_the_exact_parts_find_and_more_like_a_passage_is_found(people):
    texts = {
        "a.txt": "The harbour fee is due on the first day of each month. Force majeure suspends payment.",
        "b.txt": "The harbour fee must be paid by the first day of every month.",
        "c.txt": "Cranes are inspected each spring by a surveyor. Force majeure is no excuse.",
    }
    for name, text in texts.items():
        documents.add(people.matter, name, [text.encode()], people.owner)
    documents.add(people.foreign, "d.txt", [texts["a.txt"].encode()], people.outsider)
    work_off()
    scope = access.scope_for(people.reader, people.matter)

    ranked = lookup.find(scope, 'payment of the harbour fee "force majeure"')
    assert not ranked.is_exact
    assert [group.entry.name for group in ranked.groups] == ["a.txt", "c.txt"]
    marked = [piece.text for piece in ranked.groups[0].places[0].snippet if piece.is_marked]
    assert {"harbour", "fee", "Force majeure"} <= set(marked)
    assert {group.entry.name for group in lookup.find(scope, "harbour fee NOT suspends").groups} == {"b.txt"}
    assert lookup.find(scope, "harbour fee type:pdf").groups == []

    version = Document.objects.get(path="a.txt").current
    alike = lookup.like(scope, version, 5)
    assert next(group.entry.name for group in alike) == "b.txt"
    assert "a.txt" not in {group.entry.name for group in alike}
    page = signed_in(people.reader).get(
        reverse("search", args=[people.matter.pk]), {"like": version.pk, "at": 5}
    )
    assert "most alike first" in page.content.decode()
    foreign = Document.objects.get(path="d.txt")
    hidden = {"like": foreign.current.pk, "at": 5}
    assert signed_in(people.reader).get(reverse("search", args=[people.matter.pk]), hidden).status_code == 404
    rest = Client(headers=people.token(people.reader)).get(f"/api/v1/documents/{version.document_id}/like")
    assert rest.json()[0]["document"] == "b.txt"
