"""The door itself: scopes, roles, and the second lock behind the index."""

import threading
from contextlib import suppress
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404

from knowledge import access, engines, generations, matters, search
from knowledge.access import Scope
from knowledge.models import Document, Membership, Passage, Role, Version
from tests.conftest import make_people


def test_a_scope_cannot_be_made_elsewhere():
    with pytest.raises(TypeError):
        Scope(1, frozenset({uuid4()}))


def test_a_scope_holds_only_the_matters_of_the_person(people):
    assert access.scope_for(people.reader).matter_ids == {people.matter.pk}
    assert access.scope_for(people.outsider, people.matter).is_empty
    assert access.scope_for(AnonymousUser()).is_empty


def test_documents_of_others_fall_out_of_a_scope(people):
    foreign = Document.objects.create(matter=people.foreign, path="secret.txt")
    scope = access.scope_for(people.owner, people.matter, [foreign.pk])
    assert scope.document_ids == frozenset()
    assert scope.is_empty


def test_an_empty_scope_never_reaches_the_index(people, monkeypatch):
    monkeypatch.setattr(engines, "index", lambda: pytest.fail("the index was asked"))
    monkeypatch.setattr(engines, "embedder", lambda: pytest.fail("the embedder was asked"))
    assert search.retrieve(access.scope_for(AnonymousUser()), "anything") == []


def test_roles_build_on_each_other(people):
    assert access.matter_for(people.owner, people.matter.pk, Role.MEMBER) == people.matter
    with pytest.raises(PermissionDenied):
        access.matter_for(people.reader, people.matter.pk, Role.MEMBER)
    with pytest.raises(Http404):
        access.matter_for(people.outsider, people.matter.pk)


def test_a_removed_member_is_out_at_once(people):
    scope = access.scope_for(people.reader, people.matter)
    passage = make_passage(people.matter)
    assert search.readable(scope, [passage.pk])
    Membership.objects.filter(user=people.reader).delete()
    assert search.readable(scope, [passage.pk]) == {}


def test_the_second_lock_holds_when_the_index_returns_too_much(people):
    """Whatever ids come back from the index, only passages of the scope are readable."""
    own, foreign = make_passage(people.matter), make_passage(people.foreign)
    scope = access.scope_for(people.reader)
    assert set(search.readable(scope, [own.pk, foreign.pk])) == {own.pk}


def test_a_superseded_version_is_not_readable_by_search(people):
    passage = make_passage(people.matter)
    Document.objects.filter(pk=passage.version.document_id).update(current=None)
    assert search.readable(access.scope_for(people.reader), [passage.pk]) == {}


def test_the_last_manager_stays(people):
    with pytest.raises(matters.LastManager):
        matters.remove_member(people.matter, people.owner)
    with pytest.raises(matters.LastManager):
        matters.set_member(people.matter, people.owner, Role.READER)


def make_passage(matter) -> Passage:
    document = Document.objects.create(matter=matter, path=f"{uuid4()}.txt")
    version = Version.objects.create(document=document, number=1, sha256="0" * 64, size=1)
    document.current = version
    document.save()
    place = {"start": 0, "end": 4, "page_first": 1, "page_last": 1, "text": "text"}
    return Passage.objects.create(
        id=uuid4(), version=version, generation=generations.current(), key="", **place
    )


@pytest.mark.django_db(transaction=True)
def test_two_managers_who_take_each_other_out_at_once_leave_one():
    """Both ask whether a manager is left before either has said that they are done."""
    people = make_people()
    matters.set_member(people.matter, people.member, Role.MANAGER)
    meeting = threading.Barrier(2, timeout=1)

    def leave(user: User) -> None:
        with suppress(matters.LastManager), matters.keeping_a_manager(people.matter):
            people.matter.memberships.filter(user=user).delete()
            with suppress(threading.BrokenBarrierError):
                meeting.wait()
        connection.close()

    threads = [threading.Thread(target=leave, args=[user]) for user in (people.owner, people.member)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert access.managers_of(people.matter).count() == 1
