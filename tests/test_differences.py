"""Two sources that say the same thing with other values are shown as differing, and nothing else is."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

from knowledge.differences import among

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
