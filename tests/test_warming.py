"""Reading ahead: a job reads how the prompts begin, for those who may read it."""

import pytest
from django.core.management import CommandError, call_command

from ingestion import pipeline
from knowledge import matters, preferences, queue, warming
from knowledge.conversation import Conversation
from knowledge.models import Answer, Job
from tests.test_conversation import DEPOSIT, RENT, ask, case  # noqa: F401 - a fixture


def run(jobs: list[Job]) -> list[str]:
    for job in jobs:
        pipeline.run(job.pk)
    return list(Job.objects.filter(kind=Job.Kind.WARM).values_list("state", flat=True))


def read(jobs: list[Job]) -> list[str]:
    return ["".join(message.content for message in warming.prompt(job)) for job in jobs]


def prompt(answer: Answer) -> str:
    return "".join(message.content for message in Conversation(answer).messages())


def test_what_is_read_ahead_is_how_the_prompts_begin(case):  # noqa: F811
    jobs = warming.queue_matter(case.matter, case.owner)
    assert sorted(job.version.document.path for job in jobs) == ["lease.txt", "letter.txt"]
    assert run(jobs) == ["done", "done"]
    asked = prompt(ask(case, RENT))
    assert any(asked.startswith(each) for each in read(jobs))


def test_a_prompt_tells_where_its_documents_end(case):  # noqa: F811
    """A model that cannot cut what it has read back is remembered there."""
    for document in case.matter.documents.all():
        preferences.choose(case.owner, document, "full")
    ahead = warming.prompt(warming.queue_matter(case.matter, case.owner)[0])[-1]
    asked = Conversation(ask(case, RENT)).messages()[1]
    for message in (ahead, asked):
        starts = [message.content[at:].split("\n")[0] for at in (len("Sources:\n\n"), *message.sections[:-1])]
        assert sorted(starts) == ["lease.txt", "letter.txt"]
        assert message.sections[-1] == len(ahead.content)


def test_what_a_person_always_wants_read_stands_first_in_each(case):  # noqa: F811
    lease, letter = case.matter.documents.order_by("path")
    preferences.choose(case.owner, letter, "full")
    ahead = read(warming.queue_matter(case.matter, case.owner))
    assert all("letter.txt\n[1]" in each for each in ahead)
    asked = prompt(ask(case, DEPOSIT))
    assert any(asked.startswith(each) for each in ahead if "lease.txt" in each)
    preferences.choose(case.owner, lease, "never")
    assert [job.version.document_id for job in warming.queue_matter(case.matter, case.owner)] == [letter.pk]


def test_for_who_may_no_longer_read_the_matter_nothing_is_read(case):  # noqa: F811
    jobs = warming.queue_matter(case.matter, case.member)
    matters.remove_member(case.matter, case.member)
    assert read(jobs) == ["", ""]
    assert run(jobs) == ["done", "done"]


def test_asking_again_does_not_pile_up_jobs(case):  # noqa: F811
    for _ in range(3):
        jobs = warming.queue_matter(case.matter, case.owner)
    assert Job.objects.filter(kind=Job.Kind.WARM).count() == len(jobs) == 2


def test_a_document_too_long_to_be_read_in_full_is_not_read_ahead(case, settings):  # noqa: F811
    settings.CONTEXT_TOKENS = 20
    assert warming.queue_matter(case.matter, case.owner) == []


def test_the_command_queues_the_same_jobs(case, capsys):  # noqa: F811
    call_command("warm", "owner", case.matter.name)
    assert "2 documents will be read ahead." in capsys.readouterr().out
    for wrong in (("owner", "nothing"), ("outsider", case.matter.name), ("nobody", case.matter.name)):
        with pytest.raises(CommandError, match="No one matter"):
            call_command("warm", *wrong)


def test_a_document_that_was_replaced_is_not_read_ahead(case):  # noqa: F811
    jobs = warming.queue_matter(case.matter, case.owner)
    case.matter.documents.update(current=None)
    jobs = list(Job.objects.filter(pk__in=[job.pk for job in jobs]))
    assert read(jobs) == ["", ""]
    assert not queue.is_reachable()  # the rows alone were enough
