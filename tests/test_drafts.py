"""An answer while it is written: sentences are checked as they end, and places keep their numbers."""

import pytest

from inference.generator import Usage
from knowledge.draft import Draft
from knowledge.models import Answer, Citation, Document, Evidence, Page, Version
from knowledge.pins import Texts

TEXT = (
    "The lease began on 1 March 2030. "
    "The tenant shall pay a rent of EUR 2,400 on the first day of every month. "
    "The landlord keeps the roof and the walls in repair.\n"
)
RENT = "The tenant shall pay a rent of EUR 2,400 on the first day of every month."


@pytest.fixture
def version(people) -> Version:
    document = Document.objects.create(matter=people.matter, path="lease.txt")
    version = Version.objects.create(
        document=document, number=1, sha256="0" * 64, size=1, characters=len(TEXT)
    )
    half = TEXT.index("every month") + 3  # the second page begins inside of a word
    for number, (start, text) in enumerate([(0, TEXT[:half]), (half, TEXT[half:])], start=1):
        Page.objects.create(
            version=version, number=number, label=str(number), kind="text", start=start, text=text
        )
    return version


@pytest.fixture
def draft(people, version) -> Draft:
    answer = Answer.objects.create(matter=people.matter, asker=people.owner, question="What is the rent?")
    Evidence.objects.create(answer=answer, number=1, kind="full", version=version, start=0, end=len(TEXT))
    start = TEXT.index(RENT)
    place = {"page": 1, "page_label": "1", "start": start, "end": start + len(RENT), "quote": RENT}
    Citation.objects.create(answer=answer, number=1, origin=Citation.Origin.KEY, version=version, **place)
    return Draft(answer)


def write(draft: Draft, *pieces: str) -> list[dict]:
    for piece in pieces:
        list(draft.add(piece))
        if draft.is_over:
            break
    list(draft.finish())
    return draft.written


def test_a_sentence_is_checked_as_soon_as_the_next_one_begins(draft):
    assert [event.kind for event in draft.add("The tenant shall pay a rent of EUR 2,400 on the")] == ["text"]
    events = list(draft.add(" first day of every month. The"))
    assert [event.kind for event in events] == ["text", "sentence"]
    assert events[1].data["citations"][0]["quote"] == RENT


def cut(draft: Draft, text: str) -> list[dict]:
    """What is shown of a text that came to the limit of its tokens."""
    list(draft.add(text))
    draft.usage = Usage(is_cut=True)
    list(draft.finish())
    assert draft.is_cut
    return draft.written


@pytest.mark.parametrize(
    "half", ["The landlord keeps the roof and", "The landlord keeps the roof and [1", "The"]
)
def test_half_a_sentence_where_the_text_was_cut_is_shown_but_no_claim(draft, half):
    whole, rest = cut(draft, f"{RENT} [1] {half}")
    assert whole["citations"] == [1]
    assert (rest["text"], rest["citations"], rest["cut"]) == (half.removesuffix(" [1"), [], True)
    assert draft.new_citations == []


@pytest.mark.parametrize("end", ["", " [1]", " [1", " [1, "])
def test_a_sentence_that_was_complete_when_the_text_was_cut_is_a_claim(draft, end):
    [row] = cut(draft, RENT + end)
    assert row["citations"] == [1]
    assert "cut" not in row


def test_a_place_that_was_quoted_keeps_its_number_and_a_new_one_gets_the_next(draft):
    written = write(draft, RENT + " [1] The landlord keeps the roof and the walls in repair. ")
    assert [sentence["citations"] for sentence in written] == [[1], [2]]
    [new] = draft.new_citations
    assert TEXT[new.start : new.end] == new.quote == "The landlord keeps the roof and the walls in repair."
    assert new.page == 2


def test_a_sentence_that_the_sources_do_not_carry_has_no_citation(draft):
    written = write(draft, "The tenant shall pay a rent of EUR 9,900 on the first day of every month. Ok.")
    assert written[0]["citations"] == []


def test_the_numbers_of_the_model_are_never_shown_as_ours(draft):
    written = write(draft, RENT + " [7]")
    assert [sentence["text"] for sentence in written] == [RENT]


def test_of_a_repetition_inside_one_piece_the_first_is_kept_and_the_rest_dropped(draft):
    piece = "The landlord keeps the roof and the walls in repair. "
    assert [row["text"] for row in write(draft, piece * 3 + "Good. ")] == [piece.strip()]


def test_a_sentence_that_goes_round_is_dropped_and_ends_the_answer(draft):
    round_ = "".join(f"of the {day}th day " for day in range(10, 30))
    piece_by_piece = [RENT + " It ends at the end ", *round_.split(" of"), "and the tenant leaves."]
    assert [row["text"] for row in write(draft, *[f"{piece} of" for piece in piece_by_piece])] == [RENT]
    assert "30th" not in draft.said and "leaves" not in draft.said


@pytest.mark.parametrize(
    "listed",
    [
        "The rent and the rent and the rent of the tenant is due.",
        "Sections 2, 3, 4, 5, 9 and 12 survive termination.",
        "Sections 2.1, 2.2, 2.3, 2.4, 2.5 and 3.1 survive termination.",
        "Section 3 and 4 and 5 and 6 and 7 survive termination.",
        "It was due in 2019, in 2020, in 2021, in 2022 and in 2023.",
    ],
)
def test_a_list_is_no_round(draft, listed):
    words = f"{listed} The tenant leaves.".split(" ")
    assert [row["text"] for row in write(draft, *[f"{word} " for word in words])] == [
        listed,
        "The tenant leaves.",
    ]


def test_a_key_sentence_is_cited_though_the_plan_had_no_room_for_its_passage(draft):
    Evidence.objects.update(start=0, end=20)
    again = Draft(draft.answer)
    assert write(again, RENT + " ")[0]["citations"] == [1]


def test_a_sentence_in_other_words_is_cited_at_the_place_it_names_and_marked(draft):
    [sentence] = write(draft, "Every month, on its first day, the tenant shall pay EUR 2,400 of rent. [1]")
    assert sentence["citations"] == [2]
    assert not sentence["verbatim"]
    [place] = draft.new_citations
    assert RENT in place.quote
    assert place.quote == TEXT[place.start : place.end]


def test_a_sentence_that_names_no_place_is_compared_with_the_key_sentences(draft):
    [said] = write(draft, "Every month, on its first day, the tenant shall pay EUR 2,400 of rent. ")
    assert (said["citations"], said["verbatim"], said["problem"]) == ([1], False, "")


def test_that_the_sources_do_not_say_is_no_claim(draft):
    [said] = write(draft, "The sources do not say who insures the house. ")
    assert said["silent"]
    assert said["citations"] == []


def test_a_wrong_amount_in_other_words_is_told(draft):
    [sentence] = write(
        draft, "Every month, on its first day, the tenant shall pay EUR 2,900 of rent ", "[1]."
    )
    assert sentence["citations"] == []
    assert "EUR 2,900" in sentence["problem"]


def test_a_number_that_comes_in_pieces_belongs_to_the_sentence_before_it(draft):
    pieces = ["Monthly the tenant shall pay a rent of EUR 2,400. ", "[", "1", "]", " The landlord keeps"]
    for piece in pieces:
        list(draft.add(piece))
    assert draft.written[0]["citations"]


def test_a_model_that_goes_round_is_stopped_and_the_repetition_dropped(draft):
    piece = "The landlord keeps the roof and the walls in repair. "
    assert len(write(draft, *[piece] * 20)) == 1


def test_a_model_that_has_left_the_sources_is_stopped(draft, settings):
    settings.UNSUPPORTED_SENTENCES = 2
    inventions = [f"The moon is made of cheese number {number} indeed. " for number in range(20)]
    assert len(write(draft, *inventions)) == 2


def test_a_pin_exists_only_for_the_words_that_stand_there(version):
    texts = Texts({version.pk})
    start = TEXT.index(RENT)
    assert texts.pin(version.pk, start, start + len(RENT), RENT).page == 1
    assert texts.pin(version.pk, start + 1, start + 1 + len(RENT), RENT) is None
    assert texts.pin(version.pk, start, start + len(RENT), RENT.replace("2,400", "2,500")) is None
    assert texts.pin(version.pk, 0, 0, "") is None


def test_a_span_inside_a_sentence_is_widened_to_all_of_it(version):
    texts = Texts({version.pk})
    start = TEXT.index("rent of EUR")
    first, last = texts.sentence(version.pk, start, start + 4)
    assert TEXT[first:last] == RENT
