"""What the generator's server has read for one matter serves that matter alone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ingestion import pipeline
from knowledge import access, answers, documents, engines, warming, writing
from knowledge.models import Answer, Matter
from tests.conftest import People, make_people
from tests.inference.conftest import serving
from tests.test_forgetting import app  # noqa: F401 - a fixture
from tests.test_retry import Host

QUESTION = "When does the lessee pay the rent?"
LEASE = b"The lessee pays the rent on the first day of each month. The deposit is three months' rent."


@pytest.fixture
def case(transactional_db, settings, app) -> Iterator[People]:  # noqa: F811
    """The same document in two matters of the owner, and a server for the generator."""
    people = make_people()
    with serving(Host(app)) as url:
        settings.GENERATOR = replace(settings.GENERATOR, url=url, model="SmolLM2-135M-Instruct", window=8192)
        settings.ANSWER_TOKENS = 16
        engines.forget()
        for matter, person in ((people.matter, people.owner), (people.foreign, people.outsider)):
            pipeline.run(documents.add(matter, "lease.txt", [LEASE], person).version.job.pk)
        yield people
    engines.forget()


def cached(matter: Matter, person) -> int | None:
    """Tokens of the prompt of an answer that had been read before."""
    answer = answers.ask(access.scope_for(person, matter), matter, person, QUESTION)
    writing.complete(answer.pk, lambda: False)
    answer.refresh_from_db()
    assert answer.state == Answer.State.DONE
    assert answer.prompt_tokens > 50
    return answer.cached_tokens


def test_an_answer_is_quicker_for_what_its_own_matter_has_read_and_for_nothing_else(case):
    assert cached(case.matter, case.owner) == 0
    assert cached(case.foreign, case.outsider) == 0
    assert cached(case.matter, case.owner) > 50


def test_what_was_read_ahead_serves_the_matter_alone(case):
    [job] = warming.queue_matter(case.matter, case.owner)
    pipeline.run(job.pk)
    assert cached(case.foreign, case.outsider) == 0
    assert cached(case.matter, case.owner) > 50
