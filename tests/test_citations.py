"""A claim is cited only when the source says it; the quote is always the source's own text."""

from uuid import uuid4

import pytest

from knowledge import units
from knowledge.citations import Checker, Read, without_markers

CLAUSE = (
    "14.2 Termination. Either party may terminate this Agreement on ninety (90) days' written notice.\n"
    "The Supplier's aggregate liability shall not exceed EUR 4,500,000 in any contract year."
)
LETTER = "We wrote to you on 3 March 2031 about the crane. The gantry had by then failed twice."
ONE, TWO = uuid4(), uuid4()


def read(version, start: int, text: str, first: int) -> Read:
    return Read(version, start, text, units.of(text, start, first), "Carriage Agreement.pdf")


CHECKER = Checker([read(ONE, 100, CLAUSE, 1), read(TWO, 0, LETTER, 2)])


def test_a_verbatim_sentence_is_cited_with_its_place():
    claim = "Either party may terminate this Agreement on ninety (90) days' written notice [1]."
    support = CHECKER.support(claim)
    assert support is not None
    assert support.unit == 1
    assert CLAUSE[support.start - 100 : support.end - 100] == support.quote
    assert "ninety (90) days" in support.quote


def test_words_may_be_left_out_that_do_not_turn_the_meaning():
    support = CHECKER.support("The Supplier's liability shall not exceed EUR 4,500,000.")
    assert support is not None
    assert "4,500,000" in support.quote


@pytest.mark.parametrize(
    "claim",
    [
        "The Supplier's aggregate liability shall not exceed EUR 5,400,000 in any contract year.",
        "Either party may terminate this Agreement on sixty (60) days' written notice.",
        "The buyer must arbitrate in Geneva.",
        "Yes.",
        "",
        "[1]",
        "the of and",
    ],
)
def test_what_the_source_does_not_say_is_not_cited(claim):
    assert CHECKER.support(claim) is None


def test_the_source_the_model_named_wins_between_equals():
    twice = Checker([read(ONE, 0, LETTER, 1), read(TWO, 500, LETTER, 2)])
    support = twice.support("The gantry had by then failed twice [2].")
    assert support is not None
    assert support.unit == 2
    assert support.start >= 500


def test_markers_of_the_model_are_taken_out():
    assert without_markers("It ends in June [1]. ") == "It ends in June."
    assert without_markers("It ends [1, 2]") == "It ends"


def test_numbers_in_brackets_do_not_count_as_numbers_of_the_claim():
    assert CHECKER.support("The gantry had by then failed twice [7].") is not None


LIABILITY = "Subject to clause 9, the Supplier shall pay the Buyer within thirty (30) days of the invoice."
CAPS = "The cap is EUR 4,500,000 in 2030 and EUR 5,000,000 in 2031; the Buyer may not set off any amount."
FOUND = "The Tribunal did not find that the Claimant had acted in bad faith during the negotiations."
TURNED = Checker(
    [read(ONE, 0, text, number) for number, text in enumerate((CLAUSE, LIABILITY, CAPS, FOUND), 1)]
)


@pytest.mark.parametrize(
    "claim",
    [
        "The Supplier's aggregate liability shall exceed EUR 4,500,000 in any contract year.",
        "Neither party may terminate this Agreement on ninety (90) days' written notice.",
        "Either party must terminate this Agreement on ninety (90) days' written notice.",
        "Either party may not terminate this Agreement on ninety (90) days' written notice.",
        "The Buyer shall pay the Supplier within thirty (30) days of the invoice.",
        "Subject to clause 9, the Supplier shall pay the Buyer within sixty days of the invoice.",
        "The Supplier shall pay the Buyer within thirty (30) days of the invoice.",  # no condition
        "The cap is USD 4,500,000 in 2030.",
        "The cap is EUR 4,500 in 2030.",
        "The cap is EUR 4,500,000 in 2031.",
        "The Buyer may set off any amount.",
        "The Tribunal did find that the Claimant had acted in bad faith.",
        "The Claimant had acted in bad faith during the negotiations.",
        "The Tribunal did not find that the Respondent had acted in bad faith.",
    ],
)
def test_a_claim_that_turns_the_meaning_is_never_cited(claim):
    assert TURNED.support(claim) is None


@pytest.mark.parametrize(
    "claim",
    [
        "Subject to clause 9, the Supplier shall pay the Buyer within thirty days of the invoice.",
        "1. The cap is EUR 4,500,000 in 2030 [3].",
        "The Tribunal did not find that Claimant had acted in bad faith.",
        "the Buyer may not set off any amount",
    ],
)
def test_the_same_claims_as_the_source_has_them_are_cited(claim):
    assert TURNED.support(claim) is not None


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("It ends on 12 March 2019.", "It ends on 2019-03-12."),
        ("The total price is USD 1,000,000.", "The total price is $1 million."),
        ("The cap was raised to EUR 4.5 million.", "The cap was raised to EUR 4,500,000."),
    ],
)
def test_a_date_or_an_amount_may_be_written_otherwise(claim, source):
    assert Checker([read(ONE, 0, source, 1)]).support(claim) is not None
    assert Checker([read(ONE, 0, source.replace("1", "7").replace("4", "6"), 1)]).support(claim) is None


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The buyer owes the price.", "Smith claims that the buyer owes the price."),
        ("The buyer owes the price.", "The seller's counsel contended that the buyer owes the price."),
        ("The buyer owes the price.", "According to Smith, the buyer owes the price."),
        ("The buyer owes 5,000 dollars.", "The buyer owes approximately 5,000 dollars."),
        ("5,000 dollars are owed by the buyer.", "Approximately 5,000 dollars are owed by the buyer."),
    ],
)
def test_a_claim_without_its_speaker_or_its_hedge_is_not_cited(claim, source):
    assert Checker([read(ONE, 0, source, 1)]).support(claim) is None
    assert Checker([read(ONE, 0, source, 1)]).support(source) is not None


def test_a_quotation_begins_where_a_word_does():
    source = "The clause is unenforceable in this court."
    finding = Checker([read(ONE, 0, source, 3)]).check("It is “enforceable in this court” [3].")
    assert finding.support is None
    assert "do not say" in finding.problem


PAID = (
    "The Buyer shall pay each undisputed invoice within thirty (30) days of receiving it from the Supplier."
)
PAYS = Checker([read(ONE, 0, PAID, 7), read(TWO, 0, LETTER, 8)])


def test_other_words_are_shown_beside_the_place_they_name_and_never_as_verbatim():
    finding = PAYS.check("Undisputed invoices from the Supplier are paid by the Buyer within 30 days [7].")
    assert finding.support is not None
    assert not finding.support.is_verbatim
    assert finding.support.quote == PAID


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        ("The Buyer shall pay undisputed invoices of the Supplier within 60 days [7].", "“60 days”"),
        ("The Buyer pays undisputed invoices of Ostrevane within 30 days [7].", "“Ostrevane”"),
        ("Undisputed invoices from the Supplier are paid by the Buyer within 30 days [8].", "“Supplier”"),
        ("Undisputed invoices from the Supplier are paid by the Buyer within 30 days.", ""),  # names no place
        ("Undisputed invoices from the Supplier are paid by the Buyer within 30 days [99].", ""),
        ("The Buyer need not pay the Supplier's undisputed invoice within 30 days [7].", ""),
        ("Are undisputed invoices from the Supplier paid by the Buyer within 30 days [7]?", "a question"),
        ("Something else entirely is owed to other persons [7].", ""),
        ("The source says “payable within sixty days of receipt” [7].", "“payable within sixty days"),
    ],
)
def test_other_words_that_do_not_check_out_get_no_citation(claim, problem):
    finding = PAYS.check(claim)
    assert finding.support is None
    assert problem in finding.problem
    assert bool(problem) == bool(finding.problem)


NOTED = (
    "A party must give the other 6 months notice to end the lease. "
    "The landlord pays the premium of the insurance."
)
REPEATS = "repeats the question"


@pytest.mark.parametrize(
    ("question", "claim", "problem"),
    [
        (
            "When must a party give notice to end the lease?",
            "A party must give notice to end the lease",
            REPEATS,
        ),
        ("On what notice may a party end the lease?", "A party may end the lease on notice", REPEATS),
        (
            "How many months notice must a party give the other to end the lease?",
            "Notice to end the lease must be given by a party to the other 6 months before",
            "",
        ),
        ("Must a party give notice to end the lease?", "To end the lease a party must give notice", ""),
        (
            "Does it end when a party gives the other notice?",
            "When a party gives the other notice, it ends",
            "",
        ),
        (
            "Who pays the premium of the insurance, the tenant or the landlord?",
            "The premium of the insurance, the landlord pays",
            "",
        ),
    ],
)
def test_what_only_repeats_a_question_that_asks_for_more_is_no_answer(question, claim, problem):
    finding = Checker([read(ONE, 0, NOTED, 7)], question=question).check(f"{claim} [7].")
    assert problem in finding.problem
    assert REPEATS not in finding.problem or problem


def test_a_quotation_is_shown_in_the_words_of_the_source():
    source = "The o\ufb03ce shall be vacated on termi-\nnation of this lease."
    finding = Checker([read(ONE, 0, source, 3)]).check(
        'It says that the tenant\'s "office shall be vacated on termination" then [3].'
    )
    assert "“" not in finding.text
    assert "o\ufb03ce shall be vacated on termi- nation" in finding.text
    assert finding.support is None or not finding.support.is_verbatim
