"""Which sentences are worth quoting."""

import pytest

from knowledge import generations, names, quotes
from knowledge.models import Document, Matter, Passage, Version


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Either party may terminate on thirty days’ notice.", True),
        ("IN NO EVENT SHALL EITHER PARTY BE LIABLE FOR ANY INDIRECT DAMAGES.", True),
        ("MUTUAL LIMITATION OF LIABILITY AND DISCLAIMER", False),
        ("Exhibit 10.13 TRANSPORTATION AGREEMENT BETWEEN COAST, INC. AND ORE, INC.", False),
        ("Page 12 of 31", False),
        ("Date: 5 May 2031", False),
    ],
)
def test_a_statement_is_no_title(text, is_one):
    assert quotes._is_statement(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("9.1 Joint Marketing 11\nARTICLE X. CONFIDENTIALITY 12\n10.1 Confidentiality 12", True),
        ("Termination .......... 14", True),
        ("The fee is due within\nthe first 30\ndays of each month.", False),
        ("Rent of 4\nper head is due.", False),
    ],
)
def test_a_table_of_contents_is_not_quoted(text, is_one):
    assert quotes._is_contents(text) is is_one


@pytest.fixture
def passage(db) -> Passage:
    document = Document.objects.create(matter=Matter.objects.create(name="m"), path="supply.txt")
    version = Version.objects.create(document=document, number=1, size=1)
    text = (
        "The liability of the board for its own decisions is a question of company law. "
        "In no event shall the aggregate of all amounts due exceed the fees paid in the year before. "
        "The supplier shall deliver the goods to the warehouse of the buyer in Rotterdam at its own cost."
    )
    return Passage(version=version, start=0, end=len(text), page_first=1, page_last=1, text=text)


def test_a_sentence_worded_like_the_clause_asked_for_is_quoted_first(passage, monkeypatch):
    """Though another one has more of the question's words."""
    passage.text = passage.text.replace("aggregate of all amounts due", "aggregate liability of either party")
    question = "What does it say about the limitation of liability of the board?"
    [first, *_] = quotes.best(generations.current(), question, [passage])
    assert first.text.startswith("In no event shall")
    monkeypatch.setattr(quotes, "WORDED", 0.0)
    [first, *_] = quotes.best(generations.current(), question, [passage])
    assert first.text.startswith("The liability of the board")


def test_a_sentence_under_the_name_of_the_clause_asked_for_is_quoted_first(passage, monkeypatch):
    """Of an amendment, which says only which figure replaces which."""
    passage.text = (
        "2. Delivery\n\n2.3 The Supplier’s liability for damages for delay after that date is unchanged.\n\n"
        "3. Limitation of liability\n\n3.1 In section 14.2, the words “twenty-five per cent (25%) of the "
        "Contract Price” are replaced by “forty-five per cent (45%) of the Contract Price”.\n"
    )
    question = "What share of the Contract Price is the limitation of liability?"
    [first, *_] = quotes.best(generations.current(), question, [passage])
    assert first.text.startswith("3.1 In section 14.2")
    monkeypatch.setattr(quotes, "WORDED", 0.0)
    [first, *_] = quotes.best(generations.current(), question, [passage])
    assert first.text.startswith("2.3 The Supplier")


def test_the_names_of_documents_do_not_decide_which_sentence_is_quoted(passage, monkeypatch):
    """The sentence with the parties' names says nothing about what is asked."""
    passage.text = (
        "This supply agreement is made between Northwind Grain Limited and Harbour Mills Limited of Leith. "
        "Sacks that are torn or wet on arrival go back at the expense of the party that filled them."
    )
    asked = "who pays for returned sacks?"
    question = (
        f"Consider the Supply Agreement between Northwind Grain Limited and Harbour Mills Limited; {asked}"
    )
    [first, *_] = quotes.best(generations.current(), question, [passage])
    assert first.text.startswith("Sacks")
    monkeypatch.setattr(names, "rest", lambda text: text)
    [first, *_] = quotes.best(generations.current(), question, [passage])
    assert first.text.startswith("This supply agreement")
