"""What files say about themselves becomes fields that can be filtered."""

from datetime import UTC, datetime

import pytest

from ingestion import description
from ingestion.parse.parsed import Parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D:20200805151233-07'00'", datetime(2020, 8, 5, 22, 12, 33, tzinfo=UTC)),
        ("D:20200805151233Z", datetime(2020, 8, 5, 15, 12, 33, tzinfo=UTC)),
        ("D:2020", datetime(2020, 1, 1, tzinfo=UTC)),
        ("Fri, 18 Jun 2010 09:54:19 +1000", datetime(2010, 6, 17, 23, 54, 19, tzinfo=UTC)),
        ("2031-03-01T09:00:00Z", datetime(2031, 3, 1, 9, tzinfo=UTC)),
        ("2013-12-23T23:15:00", datetime(2013, 12, 23, 23, 15, tzinfo=UTC)),
        ("D:20209945", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_of_every_form_are_one_moment(text, expected):
    assert description.date(text) == expected


def test_people_are_taken_apart():
    header = '"Doe, Jane" <Jane.Doe@X.example>, bob@y.example, Legal Team'
    assert description.people(header) == [
        ("Doe, Jane", "jane.doe@x.example"),
        ("", "bob@y.example"),
        ("Legal Team", ""),
    ]
    assert description.people("a@x.example; b@x.example") == [("", "a@x.example"), ("", "b@x.example")]
    assert description.people("") == []


def test_of_several_dates_the_sent_one_counts_then_the_last_change():
    said = {"created": "2030-01-01", "modified": "2031-01-01", "author": "A. Writer"}
    found = description.fields(Parsed("application/msword", metadata=said))
    assert (found["kind"], found["author"], found["date"].year) == ("word", "A. Writer", 2031)
    mail = description.fields(
        Parsed("message/rfc822", metadata={"date": "2032-01-01", "from": "A <a@x.example>"})
    )
    assert (mail["kind"], mail["author"], mail["date"], mail["date"].year) == (
        "email",
        "A",
        mail["sent"],
        2032,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The tenant pays the rent on the first day of every month and without deduction.", "en"),
        ("Der Mieter zahlt die Miete am ersten Tag eines jeden Monats im Voraus und ohne Abzug.", "de"),
        ("Le locataire paie le loyer le premier jour de chaque mois, sans aucune déduction.", "fr"),
        ("22 \t 17,5", ""),
        ("", ""),
    ],
)
def test_the_language_is_told(text, expected):
    assert description.language(text) == expected


@pytest.mark.parametrize("text", ["D:99991231235959Z", "9999-12-31", "0001-01-01"])
def test_a_date_that_no_time_zone_could_show_is_none(text):
    assert description.date(text) is None


def test_of_a_mail_that_names_too_many_others_the_first_and_the_last_count():
    many = " ".join(f"<{number}@example>" for number in range(5_000))
    found = description.named_messages({"references": many})
    assert (len(found), "0@example" in found[0], "4999@example" in found[-1]) == (200, True, True)
