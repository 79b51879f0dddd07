"""The whole path, as the living diagram of the system: upload → queue → searchable → cited answer."""

import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from knowledge import access, answers, documents, search, writing
from knowledge.models import Answer, Document, Job, Version
from tests.conftest import make_people

NOTICE = """Notice of termination

Marlow Freight Limited gives notice under clause 14.2 of the Carriage Agreement.

The agreement ends on 30 June 2031. Any invoice that is unpaid on that day falls due within ten days.

The insurance certificates are to be returned to the harbour office in Port Ellery.
"""


def settle(document: Document, seconds: float = 60) -> Version:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        version = document.versions.get(number=1)
        if version.is_settled:
            return version
        time.sleep(0.1)
    raise AssertionError(f"{document} was not settled in {seconds} s")


@pytest.mark.django_db(transaction=True)
def test_an_uploaded_file_becomes_a_cited_answer(service):
    people = make_people()

    # upload: document, version and job in one transaction, a message wakes the worker
    client = Client()
    client.force_login(people.owner)
    upload = SimpleUploadedFile("notice.txt", NOTICE.encode())
    client.post(f"/matters/{people.matter.pk}/documents/", {"files": upload})
    document = Document.objects.get(matter=people.matter)

    # queue: the worker claims the job, a sandboxed child parses, passages land in the index
    version = settle(document)
    assert version.state == Version.State.SEARCHABLE
    assert version.job is not None
    assert version.job.state == Job.State.DONE
    text = version.text()
    for passage in version.passages.all():
        assert text[passage.start : passage.end] == passage.text

    # searchable, for members alone
    scope = access.scope_for(people.reader, people.matter)
    [result, *_] = search.retrieve(scope, "When does the agreement end?")
    assert "30 June 2031" in result.passage.text
    assert search.retrieve(access.scope_for(people.outsider), "When does the agreement end?") == []

    # cited answer: the quotes are the source's own words, at their place
    answer = answers.ask(scope, people.matter, people.reader, "When does the agreement end?")
    key = answer.citations.first()
    assert key is not None
    assert key.quote == text[key.start : key.end]
    assert "30 June 2031" in key.quote
    assert key.page == 1
    events = list(writing.write(answer.pk, lambda: False))
    assert events[-1].kind == "done"
    answer.refresh_from_db()
    assert answer.state == Answer.State.DONE
    assert answer.sentences
    for citation in answer.citations.all():
        assert citation.quote == text[citation.start : citation.end]

    # a question that the documents do not answer generates nothing
    silent = answers.ask(scope, people.matter, people.reader, "Who won the chess tournament in Reykjavik?")
    assert silent.state == Answer.State.NOTHING
    assert [event.kind for event in writing.write(silent.pk, lambda: False)] == ["done"]

    # deleted: gone from search at once
    documents.delete(document)
    assert search.retrieve(scope, "When does the agreement end?") == []
