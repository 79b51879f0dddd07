"""A generator's server forgets what it has read of a matter when something of it is deleted, if late."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from inference.app import ServerConfig, build_app
from inference.generator import GeneratorConfig, Message
from ingestion import tasks
from knowledge import documents, engines, forgetting, matters
from knowledge.models import Forgetting, Matter
from tests.conftest import People, make_people
from tests.inference.conftest import CACHE, serving
from tests.test_retry import Host

FORGET = "/v1/cache/forget"
PROMPT = [Message("user", "The lessee pays the rent on the first day of each month. " * 5)]


@pytest.fixture(scope="module")
def app():
    return build_app(ServerConfig(generator=GeneratorConfig(device="cpu", cache_dir=CACHE)))


@pytest.fixture
def host(settings, app) -> Iterator[Host]:
    made = Host(app)
    with serving(made) as url:
        settings.GENERATOR = replace(settings.GENERATOR, url=url, model="SmolLM2-135M-Instruct")
        engines.forget()
        yield made
    engines.forget()


@pytest.fixture
def case(transactional_db, host) -> People:
    """Two matters with a document each, both read by the generator."""
    people = make_people()
    for matter, person in ((people.matter, people.owner), (people.foreign, people.outsider)):
        documents.add(matter, "lease.txt", [b"The lessee pays the rent."], person)
        read(matter)
    host.asked.clear()
    return people


def read(matter: Matter) -> int:
    """Tokens that the generator remembered when it was given the prompt in this matter's name."""
    told = engines.generator().warm(PROMPT, engines.scope_of(matter.pk), lambda: False)
    assert told.cached_tokens is not None
    return told.cached_tokens


def delete(matter: Matter) -> None:
    documents.delete(matter.documents.get())


def later() -> None:
    Forgetting.objects.update(created=timezone.now() - 2 * forgetting.OVERTAKEN)


def test_what_was_read_of_a_matter_is_forgotten_when_a_document_of_it_is_deleted(case):
    delete(case.matter)
    assert read(case.matter) == 0
    assert read(case.foreign) > 50


def test_and_when_the_matter_itself_is(case):
    pk = case.matter.pk
    matters.delete(case.matter)
    assert read(Matter(pk=pk)) == 0


def test_a_process_that_has_not_used_its_generator_yet_tells_the_server_too(case):
    engines.forget()
    delete(case.matter)
    assert read(case.matter) == 0


def test_it_is_told_again_when_what_was_asked_before_the_deletion_is_over(case):
    delete(case.matter)
    for _ in range(2):
        for _ in range(2):  # as of a prompt that was made before; what comes with the telling is not kept
            read(case.matter)
        assert Forgetting.objects.exists()
        tasks.reconcile_all()
        assert read(case.matter) == 0
        later()
    assert not Forgetting.objects.exists()


def test_a_server_that_is_down_is_told_when_it_is_back(case, host):
    host.shut = FORGET
    delete(case.matter)
    assert not case.matter.documents.exists()
    assert read(case.matter) > 50
    later()
    tasks.reconcile_all()
    assert [row.tries for row in Forgetting.objects.all()] == [2]
    host.shut = ""
    tasks.reconcile_all()
    assert read(case.matter) == 0
    assert read(case.foreign) > 50
    assert not Forgetting.objects.exists()


def test_a_server_that_is_back_is_told_at_once_of_another_matter(case, host):
    host.shut = FORGET
    delete(case.matter)
    host.shut = ""
    Forgetting.objects.update(failed=timezone.now() - 2 * forgetting.DOWN)
    delete(case.foreign)
    assert read(case.foreign) == 0
    assert read(case.matter) > 50


def test_a_deletion_that_did_not_wait_for_the_server_is_told_in_the_next_round(case, host):
    host.shut = FORGET
    delete(case.matter)
    host.shut = ""
    delete(case.foreign)
    assert read(case.foreign) > 50
    assert forgetting.sweep() == 0
    assert [read(case.foreign), read(case.matter)] == [0, 0]


def test_a_server_that_is_down_holds_up_neither_deletions_nor_the_sweep(case, host):
    host.shut = FORGET
    delete(case.matter)
    delete(case.foreign)
    assert host.asked == [FORGET]
    Forgetting.objects.bulk_create(Forgetting(matter_id=uuid4()) for _ in range(3))
    later()
    assert forgetting.sweep() == 5
    assert host.asked == [FORGET] * 2
    rows = Forgetting.objects.order_by("pk").values_list("matter_id", "tries")
    assert list(rows)[:2] == [(case.matter.pk, 1), (case.foreign.pk, 1)]


def test_a_deletion_that_is_undone_is_not_told(case, host):
    with pytest.raises(InterruptedError), transaction.atomic():
        delete(case.matter)
        raise InterruptedError
    assert host.asked == []
    assert not Forgetting.objects.exists()


def test_the_command_says_what_could_not_be_told(case, host, capsys):
    host.shut = FORGET
    delete(case.matter)
    call_command("purge")
    assert "the generator is still to forget 1" in capsys.readouterr().out
