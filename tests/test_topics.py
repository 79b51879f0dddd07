"""What a question to many documents asks for, read off its words; no model but the real embedder."""

from datetime import date

import pytest

from knowledge import clauses, dates, engines, subquestions, topics
from knowledge.clauses import plainly
from knowledge.subquestions import Shape

DOCUMENTS = ["Supply Agreement.pdf", "Lease 2031.docx", "letters/notice.eml"]


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Which agreements have a cap on liability?", "cap on liability"),
        ("List every agreement in this collection that contains an audit right.", "audit right"),
        ("Is there an arbitration clause?", "arbitration clause"),
        ("Which contracts are governed by the law of Texas?", "governed by the law of Texas"),
        ("Who pays for the inspection?", "Who pays for the inspection"),
    ],
)
def test_the_topic_is_what_is_asked_for_without_the_command(question, topic):
    assert topics.of(question).text == topic


def test_a_name_must_stand_in_the_sentence_and_a_state_beside_its_law():
    topic = topics.of("Which agreements are governed by the law of Ontario, Canada?")
    assert topic.names == ("ontario",)
    assert topic.is_named_in("the laws of the province of ontario govern this agreement")
    assert topic.is_named_in("ontario law applies")
    assert not topic.is_named_in("a company of ontario shall obey the laws of the state of texas")


@pytest.mark.parametrize(
    ("question", "name", "worded", "denied"),
    [
        (
            "Which contracts let third parties enforce them as third-party beneficiaries?",
            "third-party beneficiary",
            "The Lender is an intended third party beneficiary of this Agreement.",
            "There are no third party beneficiaries of this Agreement.",
        ),
        (
            "Which agreements have a covenant not to sue?",
            "covenant not to sue",
            "Licensee shall not contest the validity of the Marks.",
            "Nothing is said about marks.",
        ),
        (
            "What is the governing law for this contract?",
            "governing law",
            "This Agreement is governed by the laws of Ontario.",
            "The laws of Ontario oblige nobody to sign.",
        ),
    ],
)
def test_a_question_finds_its_kind_of_clause_and_the_kind_its_wordings(question, name, worded, denied):
    clause = topics.clause(engines.embedder(), topics.of(question))
    assert clause is not None
    assert clause.names[0] == name
    assert clause.is_worded(plainly(worded))
    assert not clause.is_worded(plainly(denied))


def test_a_question_about_something_else_has_no_kind_of_clause():
    assert topics.clause(engines.embedder(), topics.of("Which letters mention a broken crane?")) is None


def test_every_kind_of_clause_is_found_by_its_own_names_and_words_its_own_sentences():
    for clause in clauses.known():
        for sentence in clause.sentences:
            assert clause.is_worded(plainly(sentence)), sentence
        found = topics.clause(engines.embedder(), topics.of(f"Which agreements have {clause.names[0]}?"))
        assert found == clause


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("signed on 4 May 2031 at noon", date(2031, 5, 4)),
        ("as of the 4th day of May, 2031", date(2031, 5, 4)),
        ("on May 4, 2031, and not in June 2030", date(2031, 5, 4)),
        ("2031-05-04", date(2031, 5, 4)),
        ("in Sept. 2030", date(2030, 9, 1)),
        ("on 31 June 2031", date(2031, 6, 1)),
        ("on 04/05/2031", None),
        ("within 30 days", None),
    ],
)
def test_dates_are_read_as_they_are_written(text, day):
    found = dates.first(text)
    assert (found[0] if found else None) == day


@pytest.mark.parametrize(
    ("question", "shape", "parts"),
    [
        (
            "Compare the supply agreement and the lease 2031 on termination",
            Shape.COMPARE,
            [("termination", "Supply Agreement.pdf"), ("termination", "Lease 2031.docx")],
        ),
        (
            "What are the differences in notice periods between the supply agreement and the lease?",
            Shape.COMPARE,
            [("notice periods", "Supply Agreement.pdf"), ("notice periods", "Lease 2031.docx")],
        ),
        (
            "Compare the liability caps across the agreements",
            Shape.COMPARE,
            [("liability caps", path) for path in DOCUMENTS],
        ),
        (
            "Who pays for freight? When is it due?",
            Shape.ANSWER,
            [("Who pays for freight", ""), ("When is it due", "")],
        ),
    ],
)
def test_the_plan_follows_the_manner_of_the_question(question, shape, parts):
    plan = subquestions.plan(question, DOCUMENTS)
    assert plan.shape == shape
    assert [(part.query, part.document) for part in plan.parts] == parts


def test_lists_and_chronologies_are_planned_too():
    listed = subquestions.plan("List all deadlines, penalties and notice periods.", DOCUMENTS)
    assert listed.shape == Shape.LIST
    assert [part.label for part in listed.parts[1:]] == ["deadlines", "penalties", "notice periods"]
    told = subquestions.plan("Give me a chronology of the crane failure", DOCUMENTS)
    assert told.shape == Shape.CHRONOLOGY
    assert told.parts[0].query == "crane failure"
    assert subquestions.Plan.of(told.told()) == told
