"""Bates numbers are found because they run; other numbers on the pages do not."""

import pytest

from ingestion.bates import numbers


def page(stamp: str, *, at_top: bool = False) -> str:
    lines = ["The crane failed on 3 March 2031.", "Case No. CV 20311145", "Damages are 45000 euro."]
    return "\n".join([stamp, *lines] if at_top else [*lines, stamp]) + "\n"


@pytest.mark.parametrize("at_top", [True, False])
@pytest.mark.parametrize(
    "form", ["HARBOUR{:06}", "ABC-{:07}", "SMITH_DEF 000{:04}", "Confidential  CRANE-X1-{:05}"]
)
def test_stamps_that_run_are_found(form, at_top):
    pages = [page(form.format(number), at_top=at_top) for number in range(98, 104)]
    expected = [form.format(number).split("  ")[-1] for number in range(98, 104)]
    assert numbers(pages) == expected


def test_a_page_without_a_stamp_is_left_out_and_the_others_count_on():
    pages = [page(f"ABC{number:06}") for number in range(1, 6)]
    pages[2] = page("")
    assert numbers(pages) == ["ABC000001", "ABC000002", "", "ABC000004", "ABC000005"]


def test_numbers_that_do_not_run_are_no_stamps():
    assert numbers([page("Order 202311"), page("Order 202311"), page("Invoice 2291")]) == ["", "", ""]
    assert numbers([]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Letter\nABC000123\n", "ABC000123"),
        ("Letter\nABC 2031\n", ""),
        ("Invoice INV000123 is due\nnow\n", ""),
    ],
)
def test_a_single_page_needs_a_stamp_that_stands_alone_and_is_filled_up(text, expected):
    assert numbers([text]) == [expected]
