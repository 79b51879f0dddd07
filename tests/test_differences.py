"""Two sources that say the same thing with other values are shown as differing, and nothing else is."""

import json
from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.test import Client as Browser

from ingestion import pipeline
from knowledge import documents
from knowledge.differences import among
from tests.calling import calling
from tests.conftest import People, make_people
from tests.test_retry import asking, sent

ONE, OTHER = uuid4(), uuid4()


@dataclass(frozen=True)
class Quoted:
    number: int
    quote: str


def differing(one: str, other: str, documents=(ONE, OTHER)) -> list[tuple[str, str]]:
    quotes = [(document, Quoted(number, text)) for number, (document, text) in
              enumerate(zip(documents, (one, other), strict=True), 1)]  # fmt: skip
    return [difference.values for difference in among(quotes)]


CAP = "The Supplier’s total liability shall not exceed {} of the Contract Price."


@pytest.mark.parametrize(
    ("one", "other"),
    [("25%", "45%"), ("EUR 1,000,000", "EUR 2,000,000"), ("thirty (30) days", "45 days")],
)
def test_other_values_on_the_same_point_are_a_difference(one, other):
    assert len(differing(CAP.format(one), CAP.format(other))) == 1


def test_the_values_are_shown_as_the_sources_have_them():
    one, other = "The delivery date of the dryer is 30 June 2023.", "The dryer's delivery date: 2023-09-15."
    assert differing(one, other) == [("30 June 2023", "2023-09-15")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CAP.format("25%"), CAP.format("25 per cent")),
        (CAP.format("USD 1,000,000"), CAP.format("$1 million")),
        (CAP.format("25%"), CAP.format("EUR 25,000")),  # of another kind: one need not exclude the other
        (CAP.format("25%"), "Interest on late payments accrues at 8% a year."),
        (CAP.format("25%"), CAP.format("a part")),
    ],
)
def test_the_same_value_or_another_point_is_none(one, other):
    assert differing(one, other) == []


def test_one_document_does_not_differ_from_itself():
    assert differing(CAP.format("25%"), CAP.format("45%"), documents=(ONE, ONE)) == []


# --- Where it is told ------------------------------------------------------------------------------------

QUESTION = "What is the delivery date of the dryer?"
EARLY, LATE = (
    "The delivery date of the dryer is 30 June 2023.",
    "The delivery date of the dryer is 2023-09-15.",
)
VALUES = {"30 June 2023", "2023-09-15"}


@pytest.fixture
def case(transactional_db, settings) -> People:
    settings.ANSWER_TOKENS = 16
    people = make_people()
    for path, text in (("contract.txt", EARLY), ("amendment.txt", LATE)):
        pipeline.run(documents.add(people.matter, path, [text.encode()], people.owner).version.job.pk)
    return people


def test_over_rest_with_the_client_and_on_the_page_sources_differ(case):
    with calling(case.owner) as client:
        answer = client.ask(case.matter.pk, QUESTION)
    [difference] = answer.differences
    quotes = {citation.number: citation.quote for citation in answer.citations}
    assert set(difference.values) == VALUES
    for number, value in zip(difference.citations, difference.values, strict=True):
        assert value in quotes[number]
    browser = Browser()
    browser.force_login(case.owner)
    assert "Sources differ." in browser.get(f"/answers/{answer.id}/").content.decode()


def test_where_they_do_not_nothing_is_said(case):
    documents.delete(case.matter.documents.get(path="amendment.txt"))
    with calling(case.owner) as client:
        assert client.ask(case.matter.pk, QUESTION).differences == []
    told = sent(case, *asking(case, QUESTION)["chat"]).json()
    assert told["differences"] == []
    assert "Sources differ" not in told["choices"][0]["message"]["content"]


def test_an_assistant_is_told(case):
    path, body = asking(case, QUESTION)["mcp"]
    said = sent(case, path, body, {"Accept": "application/json, text/event-stream"}).json()
    [difference] = json.loads(said["result"]["content"][0]["text"])["differences"]
    assert set(difference["values"]) == VALUES


def test_a_chat_says_it_before_its_sources_whole_or_in_chunks(case):
    path, body = asking(case, QUESTION)["chat"]
    whole = sent(case, path, body).json()
    assert [set(each["values"]) for each in whole["differences"]] == [VALUES]
    chunks = sent(case, path, {**body, "stream": True}).text.split("data: ")[1:-1]
    streamed = "".join(json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks)
    for said in (whole["choices"][0]["message"]["content"], streamed):
        told = said.partition("Sources differ:\n")[2].partition("\n\nSources:\n")[0]
        assert all(value in told.replace("\\", "") for value in VALUES)
