"""A kind of clause that no document is worded like is said to be missing, and the quotes are shown."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import pytest
from django.test import Client

from ingestion import pipeline
from knowledge import absence, access, answers, documents, generations, topics
from knowledge.models import Answer
from tests.conftest import People, make_people

SUPPLY = (
    "1. Term\n\nThis supply agreement begins on 1 May 2021 and ends on 30 April 2024.\n\n"
    "2. Governing law\n\nThis agreement is governed by the laws of the State of New York.\n\n"
    "3. Liability\n\nThe supplier is liable for damage to the goods until the buyer has them delivered.\n\n"
    "4. Assignment\n\nNeither party may assign this agreement without the consent of the other party.\n"
)
MISSING = "Does this contract include a source code escrow?"
THERE = "What is the governing law of this contract?"
NO_CLAUSE = "When are the goods delivered to the buyer?"
NAMED = f"Under the Agreement with Brackwater, {THERE.lower()}"
EVERYDAY = [
    "When was the agreement signed?",
    "What is the date of the agreement?",
    "How is the agreement terminated?",
    "Who are the parties to the agreement?",
    "What is the purchase price?",
]


@pytest.fixture
def case(transactional_db) -> People:
    people = make_people()
    add(people, "supply.txt", SUPPLY)
    return people


def add(people: People, name: str, text: str) -> None:
    added = documents.add(people.matter, name, [text.encode()], people.owner)
    pipeline.run(added.version.job.pk)


def unworded(people: People, question: str, only: Iterable[UUID] | None = None) -> str:
    scope = access.scope_for(people.owner, people.matter, only)
    embedder = generations.embedder(generations.current())
    return absence.unworded(scope, topics.asked(embedder, question), documents.passages(people.matter))


def ask(people: People, question: str) -> Answer:
    return answers.ask(access.scope_for(people.owner, people.matter), people.matter, people.owner, question)


def test_a_clause_that_no_sentence_is_worded_like_is_named(case):
    assert unworded(case, MISSING) == "source code escrow"


@pytest.mark.parametrize("question", [THERE, NO_CLAUSE, NAMED, *EVERYDAY])
def test_nothing_is_said_where_it_is_there_or_where_no_kind_of_clause_is_asked_for(case, question):
    assert unworded(case, question) == ""


def test_nothing_is_said_of_an_amendment_whose_heading_names_the_clause(case):
    """It may say only which figure replaces which."""
    change = "1.1 In clause 14.2 “twenty-five per cent” is replaced by “forty-five per cent”.\n"
    question = "What is the limitation of liability after the amendment?"
    add(case, "amendment.txt", "1. Amendments\n\n" + change)
    [amendment] = case.matter.documents.filter(path="amendment.txt")
    assert unworded(case, question, [amendment.pk]) == "cap on liability"
    add(case, "amendment.txt", "1. Amendments\n\nThese are they.\n\n2. Limitation of liability\n\n" + change)
    assert unworded(case, question, [amendment.pk]) == ""


def test_nothing_is_said_where_no_document_is_meant(case):
    for number in range(absence.DOCUMENTS):
        add(case, f"other {number}.txt", SUPPLY.replace("2021", f"201{number}"))
    assert unworded(case, MISSING) == ""


def test_a_sentence_that_says_the_opposite_is_no_such_clause(case):
    add(case, "loan.txt", "There are no third party beneficiaries of this agreement whatsoever.\n" * 2)
    assert unworded(case, "Is there a third-party beneficiary under this contract?")


def test_what_is_out_of_reach_is_not_looked_through(case):
    """The clause stands in a document that was not picked."""
    add(case, "escrow.txt", "The supplier shall keep the source code in escrow with an escrow agent.\n")
    picked = case.matter.documents.get(path="supply.txt").pk
    assert unworded(case, MISSING) == ""
    assert unworded(case, MISSING, [picked]) == "source code escrow"


def test_chat_says_it_too(case):
    client = Client()
    client.force_login(case.owner)
    said = {"role": "user", "content": "Is there a source code escrow for the goods of the supplier?"}
    for stream in (False, True):
        body = {"model": f"matter:{case.matter.pk}", "messages": [said], "stream": stream}
        told = client.post("/api/v1/chat/completions", body, content_type="application/json")
        assert "The sources may not answer this" in (streamed(told) if stream else told.content.decode())


def streamed(response) -> str:
    async def read() -> str:
        return b"".join([part async for part in response.streaming_content]).decode()

    return asyncio.run(read())


def test_page_and_api_say_so_beside_the_quotes(case):
    answer = ask(case, "Is there an escrow of source code for the goods that the supplier is liable for?")
    assert answer.state == Answer.State.READY
    assert "source code escrow" in answer.caution
    client = Client()
    client.force_login(case.owner)
    page = client.get(f"/answers/{answer.pk}/").content.decode()
    assert "The sources may not answer this." in page and "The supplier is liable" in page
    told = client.get(f"/api/v1/answers/{answer.pk}").json()
    assert told["caution"] == answer.caution
    assert ask(case, THERE).caution == ""
