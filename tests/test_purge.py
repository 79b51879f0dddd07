"""What is deleted is gone: from results at once, from the disk after the purge, from a restored backup."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from inference.generator import Message, homes
from ingestion import pipeline
from knowledge import access, answers, documents, engines, forgetting, generations, matters, purge, search
from knowledge.audit import triggers
from knowledge.models import Answer, AuditEvent, Document, Finding, Matter, Passage, Run, Step
from tests.conftest import People, make_people
from tests.test_commands import run

PLANTED = "zanzibarquartz7431"
TEXT = f"The rent of the {PLANTED} warehouse is due on the first of May. It is paid in advance.".encode()
KEPT = b"The crane was delivered on 4 May 2031 and was inspected in June."

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def planted() -> People:
    """A matter with a document that holds the planted word, one that does not, and an answer and a search."""
    people = make_people()
    for name, text in ((f"{PLANTED}.txt", TEXT), ("kept.txt", KEPT)):
        pipeline.run(documents.add(people.matter, name, [text], people.owner).document.latest.job.pk)
    scope = access.scope_for(people.owner, people.matter)
    answer = answers.ask(scope, people.matter, people.owner, "When is the rent due?")
    written = [{"text": f"The {PLANTED} rent is due in May.", "citations": []}]
    Answer.objects.filter(pk=answer.pk).update(sentences=written, state=Answer.State.DONE)
    research(people)
    generations.index(generations.current()).flush()
    return people


def research(people: People) -> None:
    """A run that quotes the planted document in a finding, a step and its report."""
    report = [{"heading": "Rent", "lines": [{"text": PLANTED, "findings": [1]}]}]
    run = Run.objects.create(
        kind="research",
        matter=people.matter,
        asker=people.owner,
        question="Rent?",
        report=report,
        state="done",
    )
    version = people.matter.documents.get(path=f"{PLANTED}.txt").current
    Finding.objects.create(
        run=run, number=1, version=version, page=1, page_label="1", start=0, end=8, quote=PLANTED
    )
    Step.objects.create(run=run, number=1, kind="finding", data={"quote": PLANTED})


def holding(needles: list[bytes], root: Path = settings.DATA_DIR) -> list[str]:
    """The files under the data directory that contain one of these, whatever they are."""
    connection.close()
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and any(each in path.read_bytes().lower() for each in needles)
    )


def traces(people: People) -> list[bytes]:
    """The planted word, and the points of its passages as the engine writes their ids."""
    points = Passage.objects.filter(version__document__path__startswith=PLANTED).values_list("pk", flat=True)
    return [PLANTED.encode(), *(form for pk in points for form in (pk.bytes, str(pk).encode()))]


def test_a_deleted_document_leaves_nothing_on_the_disk(planted):
    needles = [each.lower() for each in traces(planted)]
    assert len(needles) >= 3
    assert holding(needles)
    document = planted.matter.documents.get(path=f"{PLANTED}.txt")
    client = Client()
    client.force_login(planted.owner)
    client.post(f"/documents/{document.pk}/delete/", {"confirmed": "1"}, follow=True)
    assert (
        PLANTED not in client.get(f"/matters/{planted.matter.pk}/search/", {"q": "rent due"}).content.decode()
    )
    assert PLANTED not in client.get(f"/answers/{Answer.objects.get().pk}/").content.decode()
    assert purge.run()
    if connection.vendor == "sqlite":
        assert holding(needles) == []
    else:
        assert [path for path in holding(needles) if "sqlite" not in path] == []
    receipt = AuditEvent.objects.filter(act="delete").latest("sequence")
    assert (receipt.subject, receipt.details["deletions"]) == ("purge", 1)
    assert not purge.run()
    assert "unbroken" in run("verify_audit")


def test_what_the_generator_read_of_a_matter_is_forgotten_with_a_document_of_it(planted):
    prompt = [Message("system", "Answer from the sources."), Message("user", TEXT.decode())]
    scope = engines.scope_of(planted.matter.pk)

    def cached() -> int:
        return engines.generator().warm(prompt, scope, lambda: False).cached_tokens

    assert cached() == 0
    assert cached() > 0
    documents.delete(planted.matter.documents.get(path=f"{PLANTED}.txt"))
    assert cached() == 0


def test_a_process_without_its_model_forgets_what_is_on_the_disk(planted, settings, tmp_path):
    settings.GENERATOR = replace(
        settings.GENERATOR, model="/nonexistent/model", disk_cache_bytes=1 << 20, disk_cache_dir=tmp_path
    )
    engines.forget()
    home = homes.home(tmp_path, engines.scope_of(planted.matter.pk))
    home.mkdir()
    (home / "block.safetensors").write_bytes(TEXT)
    documents.delete(planted.matter.documents.get(path=f"{PLANTED}.txt"))
    assert not home.exists()
    assert forgetting.sweep() == 0


def later(answer: Answer, *, goes_on: bool, **values: object) -> Answer:
    """A later turn that added no evidence of its own."""
    said = {"said": PLANTED, "sentences": [{"text": PLANTED, "citations": []}]}
    return Answer.objects.create(
        matter=answer.matter,
        asker=answer.asker,
        question="And then?",
        follows=answer,
        goes_on=goes_on,
        **said,
        **values,
    )


def test_later_answers_that_go_on_from_what_was_deleted_go_too(planted):
    first = Answer.objects.get()
    second = later(first, goes_on=True, state=Answer.State.DONE)
    third = later(second, goes_on=True, state=Answer.State.GENERATING)
    anew = later(second, goes_on=False, state=Answer.State.DONE)
    documents.delete(planted.matter.documents.get(path=f"{PLANTED}.txt"))
    for answer in (first, second, third, anew):
        answer.refresh_from_db()
    for answer in (first, second, third):
        assert (answer.state, answer.said, answer.sentences) == (Answer.State.NOTHING, "", [])
    assert anew.said == PLANTED


def test_what_stays_is_still_found_after_the_purge_and_after_a_restart(planted):
    documents.delete(planted.matter.documents.get(path=f"{PLANTED}.txt"))
    purge.run()
    scope = access.scope_for(planted.owner, planted.matter)

    def found() -> set[str]:
        return {result.passage.version.document.path for result in search.retrieve(scope, "crane delivered")}

    assert found() == {"kept.txt"}
    engines.close()
    assert found() == {"kept.txt"}


def test_a_deleted_matter_leaves_nothing_but_its_ids(planted):
    needles = [PLANTED.encode(), b"harbour dispute"]
    matters.delete(planted.matter)
    purge.run()
    if connection.vendor == "sqlite":
        assert holding(needles) == []


def test_a_restored_backup_does_not_bring_it_back(planted):
    """The rows and the audit are as they were before the deletion; the file beside them is not."""
    before = AuditEvent.objects.count()
    document = planted.matter.documents.get(path=f"{PLANTED}.txt")
    pk, matter_id = document.pk, planted.foreign.pk
    documents.delete(document)
    matters.delete(planted.foreign)
    purge.run()
    triggers.remove(connection)
    AuditEvent.objects.filter(sequence__gt=before).delete()
    triggers.install(connection)
    Document.objects.create(pk=pk, matter=planted.matter, path=f"{PLANTED}.txt")
    Matter.objects.create(pk=matter_id, name="Other people's affairs")
    assert purge.bury() == 2
    assert not Document.objects.filter(pk=pk).exists()
    assert not Matter.objects.filter(pk=matter_id).exists()
    assert purge.bury() == 0


def test_a_crash_between_deletion_and_tombstone_is_made_up_for(planted):
    document = planted.matter.documents.get(path="kept.txt")
    subject = f"document:{document.pk}"
    documents.delete(document)
    assert purge.keep_tombstones() >= 1
    assert subject in (settings.DATA_DIR / "deleted.jsonl").read_text()
