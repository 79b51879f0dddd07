"""Numbers, dates, amounts and names are the same facts however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import facts


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("It ends on 12 March 2019.", "This Agreement ends 2019-03-12."),
        ("It ends on March 12, 2019.", "made this 12th day of March, 2019 by the parties"),
        ("It ends on 12/03/2019.", "ending on March 12, 2019"),
        ("It was signed in March 2019.", "signed on 12 March 2019"),
        ("The price is USD 1,000,000.", "a price of $1 million"),
        ("The price is $1,500,000.", "one payment of US$1.5 million"),
        ("The price is 4.5 million euros.", "EUR 4,500,000"),
        ("The cap is 45%.", "forty-five per cent (45%) of the Contract Price"),
        ("The cap is 45 percent.", "45 % of the price"),
        ("Notice of 30 days is needed.", "on thirty (30) days’ written notice"),
        ("Notice of thirty days is needed.", "not less than 30 days"),
        ("Notice of ninety days is needed.", "on ninety (90) days' notice"),
        ("It has 1.000.000 shares.", "1,000,000 shares"),
        ("The Supplier is Quillmarsh Dairy's partner.", "Quillmarsh Dairy, a partner of the Supplier"),
        ("Under clause 9.2 the buyer pays.", "9.2 The buyer shall pay"),
    ],
)
def test_what_is_written_otherwise_is_the_same(claim, source):
    assert facts.missing(claim, source) == []


@pytest.mark.parametrize(
    ("claim", "source", "absent"),
    [
        ("It ends on 12 March 2019.", "ends on 13 March 2019", "12 March 2019"),
        ("It ends on 12 March 2019.", "ends in March 2019", "12 March 2019"),
        ("The price is USD 1,000,000.", "a price of EUR 1,000,000", "USD 1,000,000"),
        ("The price is $1 million.", "a price of $1 billion", "$1 million"),
        ("The cap is 45%.", "45 days", "45%"),
        ("Notice of 30 days is needed.", "on thirty (30) months’ notice", "30 days"),
        ("Notice of sixty days is needed.", "on thirty (30) days' notice", "sixty days"),
        ("Then Ostrevane pays.", "Quillmarsh pays", "Ostrevane"),
        ("The law of New York governs.", "the law of York governs", "New York"),
    ],
)
def test_what_the_source_does_not_have_is_named(claim, source, absent):
    assert [fact.text for fact in facts.missing(claim, source)] == [absent]


def test_no_value_is_read_inside_another():
    read = facts.values("On 12 March 2019 the fee was $1,000,000 (10%) for 3 months.")
    assert [fact.kind for fact in read] == ["date", "money", "percent", "time"]


@given(st.text(max_size=300))
def test_any_text_has_its_own_values(text):
    read = facts.values(text)
    assert all(text[fact.start : fact.end] == fact.text for fact in read)
    assert not [fact for fact in facts.missing(text, text) if fact.kind != "name"]


@given(st.integers(1, 10**9), st.sampled_from(["USD {:,}", "${:,}", "{:,} USD", "US${}"]))
def test_an_amount_is_one_fact_in_every_spelling(amount, spelling):
    assert facts.missing(f"It costs {spelling.format(amount)}.", f"a fee of {amount:,} dollars") == []
