"""The audit written out: in pieces, in the memory of one piece, for as long as its reader is an auditor."""

import tracemalloc

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from knowledge import access
from knowledge.audit import export
from knowledge.models import AuditEvent

PATHS = ("/api/v1/audit/export", "/audit/export.jsonl", "/audit/export.csv")
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


@pytest.fixture
def auditor(people) -> User:
    people.reader.groups.add(Group.objects.get_or_create(name=access.AUDITORS)[0])
    return people.reader


def add(count: int) -> None:
    start = AuditEvent.objects.count()
    AuditEvent.objects.bulk_create(
        AuditEvent(sequence=start + 1 + n, at=timezone.now(), act="read", subject="x" * 200, details={})
        for n in range(count)
    )


@pytest.mark.parametrize("path", PATHS)
def test_an_export_has_every_event_in_pieces(auditor, path, monkeypatch):
    monkeypatch.setattr(export, "AT_ONCE", 7)
    add(50)
    client = Client()
    client.force_login(auditor)
    pieces = list(client.get(path))
    lines = b"".join(pieces).splitlines()
    assert len(pieces) > 7
    told = AuditEvent.objects.count()
    assert sum(b"x" * 200 in line for line in lines) == 50
    assert len(lines) == told + 1  # the closing anchor, or the head of the table


@pytest.mark.parametrize("path", PATHS)
def test_an_export_ends_when_its_reader_is_no_auditor_any_more(auditor, path, monkeypatch):
    monkeypatch.setattr(export, "AT_ONCE", 7)
    add(50)
    client = Client()
    client.force_login(auditor)
    response = client.get(path)
    auditor.groups.clear()
    assert b"x" * 200 not in b"".join(response)


def test_a_long_export_needs_the_memory_of_a_short_one(auditor, monkeypatch):
    monkeypatch.setattr(export, "AT_ONCE", 100)
    add(300)
    peak_of(auditor)  # what is loaded once
    short = peak_of(auditor)
    add(3_000)
    assert peak_of(auditor) < 1.5 * short


def peak_of(person: User) -> int:
    """Bytes at most while every line is made and let go."""
    tracemalloc.start()
    after, last = 0, export.close()
    while (piece := export.chained(person, last, after)) is not None:
        _, after = piece
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak
