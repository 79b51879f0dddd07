"""Which documents a question is about: by what they are called."""

from uuid import uuid4

import numpy as np
import pytest

from knowledge import access, choices, generations, names, routing, search
from knowledge.index import Point
from knowledge.models import Answer, Correspondent, Document, Page, Passage, Version

LEASE = "Quillmarsh_20Lease_20Ostrevane.pdf"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "Consider the Lease between Quillmarsh and Ostrevane; What is the Rent?",
            "Lease Quillmarsh Ostrevane",
        ),
        ("Consider Eskom's Non-Disclosure Agreement; Is it mutual?", "Eskom Non Disclosure"),
        ("Under which law is the Quillmarsh lease governed?", "Quillmarsh"),
        ("What did the Receiving Party agree to keep confidential?", ""),
        ("What is the notice period?", ""),
        ('What is the Definition of "Material Adverse Effect"?', ""),
        ("Where is the No-Shop Clause?", ""),
        ("When was No. 20-1507 filed?", "20 1507"),
        ("", ""),
        ("???", ""),
    ],
)
def test_the_words_that_may_name_a_document(question, expected):
    assert names.asked(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Consider the Lease between Quillmarsh and Ostrevane; What is the rent?", "What is the rent?"),
        ("What is owed under the Supply Agreement with Quillmarsh Inc and Brackwater?", "What is owed ?"),
        ("Is there a cap on liability?", "Is there a cap on liability?"),
        ("Quillmarsh Lease", "Quillmarsh Lease"),
        ("Who is Ostrevane?", "Who is Ostrevane?"),
    ],
)
def test_what_is_left_without_the_names_is_looked_for_inside(question, expected):
    assert names.rest(question) == expected


def test_a_file_name_is_read_as_words():
    assert names.split("SupplyAgreement_20Rev.pdf") == "SupplyAgreement Rev pdf Supply Agreement Rev pdf"
    assert names.split("Model%20NDA_20by_20SWA_2016") == "Model NDA by SWA 2016"


def test_a_document_is_called_by_its_name_its_people_its_head_and_its_end(people):
    version = add(people.matter, "letters/Brackwater.eml", title="Re: the crane", author="Ada Ferndale")
    Correspondent.objects.create(
        version=version, role="to", name="Bo Ostrevane", address="bo@ostrevane.example"
    )
    called = names.of(version, "Dear Bo, " + "words " * 2_000 + "Signed, Quillmarsh")
    for word in ("Brackwater", "crane", "Ferndale", "bo@ostrevane.example", "Dear Bo", "Quillmarsh"):
        assert word in called
    assert len(called) < 4_000


RENT = "The tenant shall pay the rent on the first day of each month.\n"


def add(matter, path: str, text: str = RENT, **fields) -> Version:
    """A document that is indexed, with a single passage."""
    document = Document.objects.create(matter=matter, path=path)
    version = Version.objects.create(
        document=document,
        number=1,
        sha256="0" * 64,
        size=1,
        state="searchable",
        characters=len(text),
        **fields,
    )
    Document.objects.filter(pk=document.pk).update(current=version)
    generation = generations.current()
    Page.objects.create(version=version, number=1, label="1", kind="text", start=0, text=text)
    place = {"start": 0, "end": len(text), "page_first": 1, "page_last": 1}
    row = Passage.objects.create(id=uuid4(), version=version, generation=generation, text=text, **place)
    vector = generations.embedder(generation).embed_passages([text])[0].astype(np.float32)
    called = names.of(version, text)
    point = Point(row.pk, vector, text, matter.pk, document.pk, version.pk, 0, len(text), called)
    generations.index(generation).upsert([point])
    return version


@pytest.fixture
def deeds(people):
    made = [add(people.matter, f"{name} Lease.txt") for name in ("Quillmarsh", "Brackwater", "Ferndale")]
    yield {version.document.path.split()[0]: version.document_id for version in made}
    for version in made:
        generations.index(generations.current()).delete_version(version.pk)


def test_a_question_is_routed_to_the_document_it_names(people, deeds):
    scope = access.scope_for(people.reader, people.matter)
    found = routing.route(scope, "What is the rent under the Brackwater Lease?")
    assert found.meant == (deeds["Brackwater"],)
    assert found.confidence > 0.5
    results = search.retrieve(scope, "What is the rent under the Brackwater Lease?", 3)
    assert results[0].passage.version.document_id == deeds["Brackwater"]
    assert len(results) == 3  # the others come behind


def test_the_order_does_not_depend_on_how_many_are_wanted(people, deeds):
    """So what is measured of many results is true of few."""
    scope = access.scope_for(people.reader, people.matter)
    for question in ("What is the rent under the Brackwater Lease?", "When is the rent due?"):
        many = [result.passage.pk for result in search.retrieve(scope, question, 100)]
        assert len(many) == 3
        for limit in (1, 2):
            assert [found.passage.pk for found in search.retrieve(scope, question, limit)] == many[:limit]
        assert search.MOST_RESULTS + search.SPARE <= search.CANDIDATES


def test_what_may_not_be_shown_leaves_no_gap(people, deeds):
    scope = access.scope_for(people.reader, people.matter)
    question = "What is the rent under the Brackwater Lease?"
    Document.objects.filter(pk=deeds["Brackwater"]).update(current=None)
    results = search.retrieve(scope, question, 2)
    assert {found.passage.version.document_id for found in results} == {
        deeds["Quillmarsh"],
        deeds["Ferndale"],
    }


def test_a_question_that_names_none_has_no_route(people, deeds):
    scope = access.scope_for(people.reader, people.matter)
    assert routing.route(scope, "What is the rent?") == routing.Route()


def test_a_name_that_all_of_them_have_tells_none_apart(people, deeds):
    scope = access.scope_for(people.reader, people.matter)
    found = routing.route(scope, "What is the rent under the Lease?")
    assert set(found.meant) == set(deeds.values())
    assert found.confidence < 0.2


def test_a_name_never_leads_out_of_the_scope(people, deeds):
    outsider = access.scope_for(people.outsider, people.foreign)
    assert routing.route(outsider, "What is the rent under the Brackwater Lease?") == routing.Route()
    nobody = access.scope_for(people.outsider, people.matter)
    assert routing.route(nobody, "What is the rent under the Brackwater Lease?") == routing.Route()
    one = access.scope_for(people.reader, people.matter, [deeds["Ferndale"]])
    assert deeds["Brackwater"] not in routing.route(one, "the rent of the Brackwater Lease").documents


def offered(people, question: str, documents=None) -> list:
    scope = access.scope_for(people.reader, people.matter, documents)
    passages = [result.passage for result in search.retrieve(scope, question)]
    return [document.pk for document in choices.of(scope, question, passages)]


def test_a_question_that_fits_several_documents_is_asked_back(people, deeds):
    assert set(offered(people, "When is the rent due?")) == set(deeds.values())
    assert set(offered(people, "When is the rent due under the Lease?")) == set(deeds.values())


def test_nothing_is_asked_back_where_it_is_plain_what_is_meant(people, deeds):
    assert offered(people, "When is the rent due under the Ferndale Lease?") == []
    assert offered(people, "When is the rent due?", [deeds["Ferndale"]]) == []


def test_words_that_are_no_question_are_not_asked_back(people, deeds):
    assert offered(people, "rent due") == []
    assert set(offered(people, "Tell me when the rent is due")) == set(deeds.values())


def test_the_whole_name_of_a_file_names_it_in_small_letters_too(people, deeds):
    Document.objects.filter(pk=deeds["Ferndale"]).update(path="deeds/ground-lease.pdf")
    assert offered(people, "When is the rent of the ground lease due?") == []
    assert set(offered(people, "When is the rent of the lease due?")) == set(deeds.values())


def test_the_answer_offers_the_documents_and_asks_the_one_that_is_picked(people, deeds, client):
    client.force_login(people.reader)
    address = f"/matters/{people.matter.pk}/ask/"
    page = client.post(address, {"question": "When is the rent due?"}, follow=True)
    assert "Which document do you mean?" in page.content.decode()
    for pk in deeds.values():
        assert f'name="document" value="{pk}"' in page.content.decode()
    picked = {"question": "When is the rent due?", "document": str(deeds["Ferndale"])}
    page = client.post(address, picked, follow=True)
    assert "Which document do you mean?" not in page.content.decode()
    answer = Answer.objects.latest("created")
    assert {row.version.document_id for row in answer.evidence.all()} == {deeds["Ferndale"]}


def test_a_document_of_another_matter_cannot_be_picked(people, deeds, client):
    client.force_login(people.outsider)
    picked = {"question": "When is the rent due?", "document": str(deeds["Ferndale"])}
    assert client.post(f"/matters/{people.foreign.pk}/ask/", picked).status_code == 404


def test_the_api_names_the_documents_that_may_be_meant(people, deeds, client):
    address = f"/api/v1/matters/{people.matter.pk}/search"
    headers = people.token(people.reader)
    found = client.get(address, {"q": "When is the rent due?"}, headers=headers).json()
    assert {choice["document_id"] for choice in found["choices"]} == {str(pk) for pk in deeds.values()}
    found = client.get(address, {"q": "rent of the Ferndale Lease"}, headers=headers).json()
    assert found["choices"] == []


def test_the_search_page_offers_them_too(people, deeds, client):
    client.force_login(people.reader)
    page = client.get(f"/matters/{people.matter.pk}/search/", {"q": "When is the rent due?"})
    assert page.content.decode().count("Quillmarsh Lease.txt") >= 2
    assert "Which document do you mean?" in page.content.decode()
