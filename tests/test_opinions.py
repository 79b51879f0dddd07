"""What sentences leave open is put to the generator: read once, believed with a quote, never in the way."""

import csv
import io
from dataclasses import replace
from itertools import chain, repeat

import pytest
from django.test import Client
from starlette.responses import StreamingResponse

from ingestion import pipeline
from knowledge import (
    access,
    answers,
    conversation,
    documents,
    engines,
    exhaustive,
    opinions,
    runs,
    selection,
    writing,
)
from knowledge.models import Run, Verdict, Version
from tests.conftest import make_people
from tests.inference.test_remote import END, events, piece, replying
from tests.test_generations import work_off
from tests.test_runs import begun, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = "The crane failed twice in March 2031, and the ship had to wait for nine days in the roads."
COST = "We hold you liable for what the waiting cost us, EUR 7,200."
LETTER = f"Dear Sir,\n\n{WAIT} {COST}\n"
LEASE = "LEASE\n\nThe tenant pays the rent on the first day of each month in advance.\n"
# Of these the sentences leave the letter open, and say no of the lease.
DELAY = "Which documents speak of damages for delay?"
COLOUR = "Which documents mention the colour of the crane?"


def add(matter, person, name: str, text: str) -> Version:
    added = documents.add(matter, name, [text.encode()], person)
    pipeline.run(added.version.job.pk)
    return Version.objects.select_related("document").get(pk=added.version.pk)


@pytest.fixture
def people(settings):
    settings.RUN_GENERATOR = True
    made = make_people()
    add(made.matter, made.owner, "lease.txt", LEASE)
    add(made.matter, made.owner, "letter.txt", LETTER)
    return made


@pytest.fixture
def judge(settings):
    """Has runs ask a generator at this address, in this test alone."""

    def choose(url: str, **config) -> None:
        engines.forget()
        settings.GENERATOR = replace(settings.GENERATOR, url=url, model="judge", **{"window": 8192, **config})

    yield choose
    engines.forget()


def done(people, question: str = DELAY) -> Run:
    run = begun(people, question)
    work_off()
    run.refresh_from_db()
    assert run.state == Run.State.DONE, run.note
    return run


def letter(run: Run) -> Verdict:
    return run.verdicts.select_related("version__document").get(document__path="letter.txt")


def shared_tokens(version: Version) -> int:
    """How many tokens all prompts have in common that begin with this document."""
    return len(engines.generator()._script.beginning(conversation.warming([version])))


def quotes(verdict: Verdict) -> list[str]:
    return list(verdict.findings.values_list("quote", flat=True))


# --- The default model ---------------------------------------------------------------------------------


def test_another_question_does_not_read_the_document_again(people):
    first, second = letter(done(people)), letter(done(people, COLOUR))
    assert (first.model, second.model) == (engines.generator().name,) * 2
    assert shared_tokens(second.version) <= second.cached_tokens < second.prompt_tokens
    assert f"{second.cached_tokens} of them read before" in second.note
    assert (second.run.prompt_tokens, second.run.cached_tokens) == (
        second.prompt_tokens,
        second.cached_tokens,
    )


def test_what_one_matter_has_had_read_is_not_faster_for_another(people):
    done(people)
    add(people.foreign, people.outsider, "letter.txt", LETTER)
    scope = access.scope_for(people.outsider, people.foreign)
    run = runs.begin(scope, people.foreign, people.outsider, Run.Kind.EVERY, COLOUR)
    work_off()
    assert letter(run).cached_tokens == 0


def test_a_verdict_goes_on_behind_what_an_answer_has_read(people):
    document = people.matter.documents.get(path="letter.txt")
    scope = access.scope_for(people.reader, people.matter, [document.pk])
    answer = answers.ask(scope, people.matter, people.reader, "How long did the ship have to wait?")
    assert answer.plan["full"] == ["letter.txt"]
    list(writing.write(answer.pk, lambda: False))
    verdict = letter(done(people))
    assert verdict.cached_tokens >= shared_tokens(verdict.version)


def test_what_sentences_decide_is_not_put_to_the_generator(people):
    run = done(people)
    lease = run.verdicts.get(document__path="lease.txt")
    assert (lease.value, lease.model, lease.prompt_tokens, lease.note) == ("no", "", None, "")


def test_it_is_not_asked_unless_runs_may(people, settings):
    settings.RUN_GENERATOR = False
    run = done(people)
    assert (run.model, run.prompt_tokens) == ("", None)
    assert (letter(run).value, letter(run).model) == ("undecided", "")


# --- What a model may say ------------------------------------------------------------------------------


def told(people, judge, *pieces: str) -> Verdict:
    """The verdict on the letter when the model says this."""
    with replying(events(*map(piece, pieces), END)) as url:
        judge(url)
        return letter(done(people))


def test_a_yes_counts_with_a_sentence_that_the_document_has(people, judge):
    verdict = told(
        people,
        judge,
        "Yes: The crane failed twice in March 2031, and ",
        "the ship had to wait for nine days in the roads. [2]",
    )
    assert (verdict.value, verdict.model, verdict.score) == ("yes", "judge", None)
    assert "The generator judge read the whole document" in verdict.note
    [found] = verdict.findings.select_related("version")
    assert found.quote == WAIT == found.version.text()[found.start : found.end]


@pytest.mark.parametrize("begins", ["yes, ", "Yes - ", "**Yes**: ", "Yes [2] ", "Yes\\n"])
def test_the_verdict_may_be_written_in_several_ways(people, judge, begins):
    assert told(people, judge, begins + WAIT).value == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "Yes: [2]",
        "Yes: The ship had to wait for ten days in the roads. [2]",
        "Yes: The ship waited for quite a while, as everybody agrees. [1]",
        "Yes: The tenant pays the rent on the first day of each month in advance. [1]",
    ],
)
def test_a_yes_without_its_words_in_the_document_leaves_it_open(people, judge, text):
    verdict = told(people, judge, text)
    assert verdict.value == "undecided"
    assert opinions.UNCARRIED in verdict.note
    assert quotes(verdict) == [COST]  # what the sentences had found


def test_a_yes_with_a_sentence_about_something_else_leaves_it_open(people, judge):
    other = "The clerk keeps the keys of the harbour office in a green cupboard."
    add(people.matter, people.owner, "letter.txt", f"{LETTER}\n{other}\n")
    verdict = told(people, judge, f"Yes: {other} ")
    assert verdict.value == "undecided"
    assert opinions.AFAR in verdict.note
    assert told(people, judge, f"Yes: {other} {COST}").value == "yes"


def test_a_no_says_whose_it_is_and_shows_what_came_closest(people, judge):
    verdict = told(people, judge, "No. ")
    assert (verdict.value, quotes(verdict)) == ("no", [COST])
    assert verdict.note.endswith("and says no.")
    text = signed_in(people.reader).get(f"/runs/{verdict.run_id}/table/").content.decode()
    rows = {row["document"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (rows["letter.txt"]["by"], rows["lease.txt"]["by"]) == ("generator judge", "machine")
    assert rows["letter.txt"]["note"] == verdict.note
    page = signed_in(people.reader).get(f"/runs/{verdict.run_id}/").content.decode()
    assert "judge was asked too" in page
    assert "No, by the generator 1" in page
    assert "talk a model into one" in page
    only = signed_in(people.reader).get(f"/runs/{verdict.run_id}/?verdict=no_generator").content.decode()
    assert "letter.txt" in only
    assert "lease.txt" not in only
    assert verdict.note in page


@pytest.mark.parametrize(
    ("begins", "value"), [("No. ", "no"), (f"Yes: {WAIT} ", "yes"), ("Yes: It is so, I think. ", "undecided")]
)
def test_a_model_that_goes_on_and_on_is_not_waited_for(people, judge, settings, begins, value):
    settings.ANSWER_SECONDS = 30
    endless = chain([piece(begins)], repeat(piece("There is more to say about this. ")))
    with replying(lambda: StreamingResponse(endless, media_type="text/event-stream")) as url:
        judge(url)
        verdict = letter(done(people))
    assert (verdict.value, verdict.model) == (value, "judge")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Undecided.", "cannot decide"),
        ("The sources do not say.", opinions.UNCLEAR),
        ("Nothing of the kind is said.", opinions.UNCLEAR),
        ("", opinions.UNCLEAR),
        ("No doubt it does speak of them.", opinions.UNCLEAR),
        ("Undecided (the letter is silent on it).", "cannot decide"),
        ("No one knows; undecided.", opinions.UNCLEAR),
        (f"Yes and no. {WAIT}", opinions.UNCLEAR),
    ],
)
def test_what_is_neither_yes_nor_no_leaves_it_open(people, judge, text, why):
    verdict = told(people, judge, text)
    assert verdict.value == "undecided"
    assert why in verdict.note


def test_of_a_document_that_was_read_in_part_a_no_is_none(people, judge):
    Version.objects.filter(document__path="letter.txt").update(state=Version.State.PARTIAL)
    verdict = told(people, judge, "No.")
    assert verdict.value == "undecided"
    assert "says no" in verdict.note
    assert exhaustive.IN_PART in verdict.note


# --- What is read --------------------------------------------------------------------------------------


def test_a_document_longer_than_the_room_is_read_by_passages_and_the_note_says_so(people, settings):
    filler = "".join(
        f"The clerk wrote down observation {n} about the pier and the tide.\n\n" for n in range(90)
    )
    add(people.matter, people.owner, "long.txt", filler + LETTER + filler)
    settings.RUN_TOKENS = 500
    verdict = done(people).verdicts.get(document__path="long.txt")
    assert opinions.IN_PART in verdict.note
    assert verdict.prompt_tokens < 900
    assert opinions.WHOLE in letter(verdict.run).note


def test_of_a_document_longer_than_the_room_a_no_is_none(people, judge, settings):
    filler = "The clerk wrote down an observation about the pier and the tide.\n\n" * 90
    add(people.matter, people.owner, "letter.txt", filler + LETTER + filler)
    settings.RUN_TOKENS = 500
    verdict = told(people, judge, "No.")
    assert verdict.value == "undecided"
    assert opinions.UNREAD in verdict.note
    settings.RUN_TOKENS = 0
    assert told(people, judge, "No.").value == "no"


def test_where_no_passage_fits_it_is_not_asked(people, judge):
    judge("http://127.0.0.1:9", window=300)
    verdict = letter(done(people))
    assert (verdict.value, verdict.note, verdict.model) == ("undecided", opinions.NO_ROOM, "")


# --- What it takes -------------------------------------------------------------------------------------


def test_the_estimate_counts_it_once_it_was_measured_and_says_so_before(people):
    scope = access.scope_for(people.reader, people.matter)
    client, path = signed_in(people.reader), f"/matters/{people.matter.pk}/runs/estimate/"
    form = {"kind": "every", "question": DELAY}
    before = selection.estimate(scope, people.matter)
    assert (before.asks_generator, before.left_open, before.seconds_each) == (True, 0, None)
    assert "is not included" in client.post(path, form).content.decode()
    verdict = letter(done(people))
    after = selection.estimate(scope, people.matter)
    assert after.left_open == 1  # of two, as in that run
    assert after.seconds_each == pytest.approx(verdict.generator_seconds)
    assert after.seconds == pytest.approx(verdict.run.seconds, abs=0.01)
    assert "likely to be asked about 1 document" in " ".join(client.post(path, form).content.decode().split())


def test_the_api_tells_who_judged_and_what_was_read(people, judge):
    verdict = told(people, judge, "No.")
    api = Client(headers=people.token(people.reader))
    [row] = api.get(f"/api/v1/runs/{verdict.run_id}/verdicts?verdict=no").json()[1:]
    assert (row["model"], row["machine"], row["prompt_tokens"]) == ("judge", "no", None)
    told_of = api.get(f"/api/v1/runs/{verdict.run_id}").json()
    assert (told_of["model"], told_of["counts"]["no"], told_of["generated_noes"]) == ("judge", 2, 1)
    path = f"/api/v1/runs/{verdict.run_id}/verdicts?verdict=no_generator"
    assert [row["document"] for row in api.get(path).json()] == ["letter.txt"]
    runs.settle(verdict, people.reader, "no")
    assert api.get(path).json() == []
