"""The kind of value that a question asks for, and the sentences that have one."""

import pytest

from knowledge import access, generations, kinds, quotes, search
from knowledge.models import Document, Matter, Passage, Version
from tests.test_routing import add

TELLS = {
    "weekday": "The board meets on Tuesdays.",
    "month": "The pond is drained in October.",
    "date": "The lease ends on 4 May 2031.",
    "hour": "The gate is shut at 9 p.m. each evening.",
    "money": "The tenant owes $1,200.",
    "period": "Notice is given thirty (30) days before.",
    "share": "The broker keeps 12.5 % of it.",
    "number": "There are forty-three horses.",
    "name": "The key is kept by Ada Ferndale.",
}
SAYS_NONE = "The tenant keeps the roof in repair."


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("On which weekday may the tribunal sit?", "weekday"),
        ("Which day of the week is for repairs?", "weekday"),
        ("In which month is the bonus paid?", "month"),
        ("When does the lease end?", "date"),
        ("What is the expiration date of this contract?", "date"),
        ("At what time is the gate shut?", "hour"),
        ("How much is the rent?", "money"),
        ("What is the daily penalty for delay?", "money"),
        ("How long does the duty last?", "period"),
        ("How many business days does the buyer have?", "period"),
        ("How much notice must be given?", "period"),
        ("What share of the profit goes to the agent?", "share"),
        ("How many horses are there?", "number"),
        ("Who keeps the key?", "name"),
        ("Where is the seal?", "name"),
        ("Is there a cap on liability?", None),
        ("What happens when control changes?", None),
        ("What happens if the tenant does not pay the rent?", None),
        ("What is the definition of premium?", None),
        ("What time limit applies?", None),
        ("Where the tenant defaults, what may the landlord do?", None),
        ("What is the weekday overtime?", None),
        ("", None),
    ],
)
def test_a_question_asks_for_a_kind_of_value(question, kind):
    assert kinds.asked(question) == kind


@pytest.mark.parametrize("kind", list(TELLS))
def test_a_sentence_tells_the_kinds_that_it_has(kind):
    assert kinds.is_told(kind, TELLS[kind])
    assert not kinds.is_told(kind, SAYS_NONE)


@pytest.mark.parametrize("text", ["on 4 Auguſt 1750", "on 3 Aprıl 2020", "12 mıllıon euros", "100 dollarſ"])
def test_letters_that_are_only_taken_for_others_break_nothing(text):
    assert kinds.is_told("date", text) or kinds.is_told("money", text)


def test_only_a_question_for_a_weekday_or_a_month_is_spelled_out():
    assert kinds.spelled("On which weekday?").endswith("Saturday Sunday")
    assert kinds.spelled("Which month?").endswith("November December")
    assert kinds.spelled("When does it end?") == "When does it end?"


@pytest.fixture
def version(db) -> Version:
    document = Document.objects.create(matter=Matter.objects.create(name="m"), path="rules.txt")
    return Version.objects.create(document=document, number=1, size=1)


def test_what_has_the_kind_of_value_asked_for_is_quoted_first(version):
    """And is close enough to the question, though they share no word."""
    told = "The arbitrators shall hear the dispute only on Thursdays after the harvest festival."
    text = f"The trial by jury is waived by both of the parties. {told} Costs follow the event."
    passage = Passage(version=version, start=0, end=len(text), page_first=1, page_last=1, text=text)
    assert (
        quotes.best(generations.current(), "On which weekday may the tribunal sit?", [passage])[0].text
        == told
    )


def test_a_passage_with_the_weekday_asked_for_is_found_before_those_that_sound_like_it(people):
    texts = [
        "Any trial before a court of this State is by a judge alone.",
        "The court convenes in any week of the year.",
        "The arbitrators hear the dispute only on Thursdays after the harvest festival.",
    ]
    made = [add(people.matter, f"{number}.txt", text) for number, text in enumerate(texts)]
    scope = access.scope_for(people.reader, people.matter)
    [first, *_] = search.retrieve(scope, "On which weekday may the tribunal sit?")
    assert first.passage.version_id == made[2].pk
    for version in made:
        generations.index(generations.current()).delete_version(version.pk)
