"""The plan of research, by how people word such questions."""

import pytest

from knowledge.subquestions import Part, Shape, plan

PATHS = [
    "amendment-1.docx",
    "mail-amendment.eml",
    "mail-amendment.eml/amendment-1-draft.docx",
    "settlement-proposal.docx",
    "supply-agreement.pdf",
]


def test_several_documents_are_compared_each_by_itself():
    things = "the supply agreement, the amendment and the settlement proposal"
    made = plan(f"Compare what {things} say about liquidated damages", PATHS)
    assert made.shape == Shape.COMPARE
    assert made.parts == [
        Part("supply agreement", "liquidated damages", "supply-agreement.pdf"),
        Part("amendment", "liquidated damages", "amendment-1.docx"),
        Part("settlement proposal", "liquidated damages", "settlement-proposal.docx"),
    ]


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Compare the notice periods of tenant and landlord.", ["notice periods of tenant", "landlord"]),
        ("How does the draft differ from the signed amendment?", ["draft", "signed amendment"]),
        ("What is the difference between the cap in the agreement and the cap in the amendment?",
         ["cap in the agreement", "cap in the amendment"]),
        ("Supplier's view versus buyer's view on delay", ["Supplier's view", "buyer's view"]),
    ],
)  # fmt: skip
def test_what_is_compared_has_a_heading_each(question, labels):
    made = plan(question, PATHS)
    assert made.shape == Shape.COMPARE
    assert [part.label for part in made.parts] == labels


def test_terms_and_conditions_are_one_thing():
    paths = [*PATHS, "terms-and-conditions.pdf"]
    made = plan("How do the terms and conditions differ from the supply agreement on price?", paths)
    assert made.parts == [
        Part("terms and conditions", "price", "terms-and-conditions.pdf"),
        Part("supply agreement", "price", "supply-agreement.pdf"),
    ]


def test_a_name_that_several_documents_have_leads_to_none():
    made = plan("Compare the mail with the supply agreement on price", [*PATHS, "mail-atomiser.eml"])
    assert [part.document for part in made.parts] == ["", "supply-agreement.pdf"]
