"""Which sentences are worth quoting."""

import pytest

from knowledge import quotes


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
