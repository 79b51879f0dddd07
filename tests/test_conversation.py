"""A conversation's prompt only grows at its end; what a person wants read, or not, is what is read."""

import pytest
from django.test import Client

from inference.generator.text import Script
from ingestion import pipeline
from knowledge import access, answers, documents, engines, preferences, writing
from knowledge.access import Scope
from knowledge.conversation import Conversation
from knowledge.models import Answer, Document
from tests.conftest import People, make_people

LEASE = (
    "1. Rent\n\nThe tenant shall pay a rent of EUR 2,400 on the first day of every month.\n\n"
    "2. Repairs\n\nThe landlord keeps the roof and the outer walls of the house in good repair.\n"
)
LETTER = "Dear Sir,\n\nThe deposit for the house on the quay was EUR 7,200 and has not been returned.\n"
RENT, REPAIRS = "What rent shall the tenant pay?", "Who keeps the roof in good repair?"
DEPOSIT = "How much was the deposit for the house?"


def add(people: People, name: str, text: str) -> Document:
    added = documents.add(people.matter, name, [text.encode()], people.owner)
    pipeline.run(added.version.job.pk)
    return Document.objects.select_related("current").get(pk=added.document.pk)


@pytest.fixture
def case(transactional_db) -> People:
    people = make_people()
    add(people, "lease.txt", LEASE)
    add(people, "letter.txt", LETTER)
    return people


def scope(people: People, only: list[Document] | None = None) -> Scope:
    ids = [document.pk for document in only] if only is not None else None
    return access.scope_for(people.owner, people.matter, ids)


def ask(people: People, question: str, follows: Answer | None = None, **more) -> Answer:
    return answers.ask(scope(people, **more), people.matter, people.owner, question, follows)


def written(answer: Answer, said: str = "The tenant shall pay it [1].") -> Answer:
    """The answer as it is after a model has said this."""
    answer.state, answer.said = Answer.State.DONE, said
    answer.save()
    return answer


def prompt(answer: Answer) -> str:
    """Its bytes as the model gets them, through the chat template of the default model."""
    script: Script = engines.generator()._script
    return script.tokenizer.decode(script.prompt(Conversation(answer).messages()))


def test_the_second_prompt_begins_with_the_first(case):
    first = written(ask(case, RENT))
    second = written(ask(case, REPAIRS, first), "The landlord [2].")
    third = ask(case, DEPOSIT, second)
    assert second.goes_on
    assert third.goes_on
    assert prompt(second).startswith(prompt(first) + first.said)
    assert prompt(third).startswith(prompt(second) + second.said)
    assert prompt(third).rstrip().endswith(f"Question: {DEPOSIT}<|im_end|>\n<|im_start|>assistant")


def test_the_documents_stand_the_same_whatever_is_asked_about_them(case):
    one, other = ask(case, RENT), ask(case, DEPOSIT)
    assert one.plan["full"] == other.plan["full"] == ["lease.txt", "letter.txt"]
    documents_end = prompt(one).index("The most relevant sentences")
    assert prompt(other)[:documents_end] == prompt(one)[:documents_end]


def test_a_follow_up_reads_nothing_twice_and_adds_what_it_needs(case):
    [lease, letter] = case.matter.documents.order_by("path")
    first = written(ask(case, RENT, only=[lease]))
    assert first.plan["full"] == ["lease.txt"]
    second = ask(case, DEPOSIT, first)
    assert second.goes_on
    assert [row.version.document_id for row in second.evidence.all()] == [letter.pk]
    assert second.plan["full"] == ["lease.txt"]
    assert second.plan["by_passage"] == ["letter.txt"]
    assert prompt(second).count("outer walls") == prompt(first).count("outer walls")


def test_ids_in_the_prompt_are_unique_and_are_those_a_citation_may_have(case):
    second = ask(case, DEPOSIT, written(ask(case, RENT)))
    made = Conversation(second)
    assert len(made.ids) == len(set(made.ids)) == 2
    text = "".join(message.content for message in made.messages())
    assert all(f"[{number}] " in text for number in made.ids)


def test_what_no_longer_fits_is_planned_anew_and_the_plan_says_so(case, settings):
    first = written(ask(case, RENT), "word " * 4000)
    second = ask(case, DEPOSIT, first)
    assert not second.goes_on
    assert "left no room" in second.plan["anew"]
    assert f"Earlier question: {RENT}" in prompt(second)
    assert "word word" not in prompt(second)


def test_a_prompt_with_its_answer_fits_the_window_of_the_model_at_every_turn(case, settings, monkeypatch):
    """Counted by the model's own tokens and template, with documents longer than the window."""
    add(case, "leases.txt", "\n\n".join(f"{n}. {LEASE}" for n in range(60)))
    generator = engines.generator()
    monkeypatch.setattr(generator, "window", 700)
    settings.CONTEXT_TOKENS = 4000
    answer = None
    for question in (RENT, REPAIRS, DEPOSIT, RENT):
        answer = written(ask(case, question, answer))
        length = generator.count_prompt(Conversation(answer).messages())
        assert length + settings.ANSWER_TOKENS <= 700
        assert answer.plan["sources"]


def test_a_passage_that_had_no_room_is_told_on_the_page_and_in_the_api(case, settings):
    add(case, "leases.txt", "\n\n".join(f"{n}. {LEASE}" for n in range(60)))
    settings.CONTEXT_TOKENS = 260
    answer = written(ask(case, RENT))
    assert "leases.txt" in answer.plan["by_passage"]
    assert answer.plan["in_part"] == ["leases.txt"]
    assert answer.plan["passages_not_read"] > 0
    client = Client()
    client.force_login(case.owner)
    shown = client.get(f"/answers/{answer.pk}/").content.decode()
    assert "More was found than there was room for in leases.txt." in shown
    assert ("One of the best passages found was not read" in shown) == answer.plan["is_short"]
    told = client.get(f"/api/v1/answers/{answer.pk}").json()["plan"]
    assert told["in_part"] == ["leases.txt"]
    assert told["passages_not_read"] == answer.plan["passages_not_read"]
    assert told["is_short"] == answer.plan["is_short"]


def test_a_deleted_document_is_in_no_further_prompt(case):
    first = written(ask(case, RENT), "It is EUR 2,400 [1].")
    documents.delete(case.matter.documents.get(path="lease.txt"))
    second = ask(case, DEPOSIT, first)
    assert not second.goes_on
    assert "2,400" not in prompt(second)
    assert "was deleted" in second.plan["anew"]


def test_a_narrower_scope_does_not_read_what_the_wider_one_did(case):
    [letter] = case.matter.documents.filter(path="letter.txt")
    second = ask(case, DEPOSIT, written(ask(case, RENT)), only=[letter])
    assert not second.goes_on
    assert "2,400" not in prompt(second)


def test_a_pinned_document_is_read_in_full_and_an_excluded_one_not_at_all(case):
    lease, letter = case.matter.documents.order_by("path")
    preferences.choose(case.owner, letter, "full")
    preferences.choose(case.owner, lease, "never")
    answer = ask(case, DEPOSIT)
    assert answer.plan["full"] == answer.plan["pinned"] == ["letter.txt"]
    assert answer.plan["excluded"] == ["lease.txt"]
    assert answer.plan["not_read_count"] == 1
    assert "rent" not in prompt(answer)
    preferences.choose(case.owner, lease, "")
    assert ask(case, RENT).plan["full"] == ["lease.txt", "letter.txt"]


def test_wishes_are_a_persons_own_and_change_the_reading_of_a_conversation(case):
    lease = case.matter.documents.get(path="lease.txt")
    preferences.choose(case.member, lease, "never")
    first = written(ask(case, RENT))
    assert "lease.txt" in first.plan["full"]
    preferences.choose(case.owner, lease, "never")
    assert not ask(case, DEPOSIT, first).goes_on


def test_a_follow_up_that_says_little_is_understood_with_the_question_before_it(case):
    second = ask(case, "And on which day?", written(ask(case, RENT)))
    assert second.state == Answer.State.READY
    assert any("EUR 2,400" in row.quote for row in second.citations.all())


def test_a_follow_up_is_written_and_says_what_it_took(case):
    first = ask(case, RENT)
    list(writing.write(first.pk, lambda: False))
    first.refresh_from_db()
    second = ask(case, REPAIRS, first)
    assert list(writing.write(second.pk, lambda: False))[-1].kind == "done"
    second.refresh_from_db()
    assert first.said
    assert second.goes_on
    assert second.prompt_tokens > first.prompt_tokens > 0
    assert second.cached_tokens is not None


def test_what_follows_is_an_answer_of_the_same_matter(people):
    foreign = Answer.objects.create(matter=people.foreign, asker=people.outsider, question="Who pays?")
    own = Answer.objects.create(matter=people.matter, asker=people.owner, question="Who pays?")
    page, api = Client(), Client(headers=people.token(people.owner))
    page.force_login(people.owner)
    for wrong in (foreign.pk, "nonsense"):
        body = {"question": "Who pays?", "follows": str(wrong)}
        assert page.post(f"/matters/{people.matter.pk}/ask/", body).status_code == 404
        answer = api.post(f"/api/v1/matters/{people.matter.pk}/ask", body, content_type="application/json")
        assert answer.status_code == (404 if wrong == foreign.pk else 422)
    ok = page.post(f"/matters/{people.matter.pk}/ask/", {"question": "Who pays?", "follows": str(own.pk)})
    assert ok.status_code == 302
