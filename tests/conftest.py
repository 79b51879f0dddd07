"""Three people, a matter, and the embedded service, all real."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User

from bench.serving import Service, environment, manage, serving
from ingestion.broker import Broker
from knowledge import engines, matters
from knowledge.models import ApiToken, Matter, Role
from tests.append_only import emptying


@dataclass(frozen=True)
class People:
    """The owner manages the matter, the reader may only read it, the outsider is in another matter."""

    owner: User
    member: User
    reader: User
    outsider: User
    matter: Matter
    foreign: Matter  # the outsider's own matter

    def token(self, user: User) -> dict[str, str]:
        return {"Authorization": f"Bearer {ApiToken.issue(user, 'test')}"}


def make_people() -> People:
    owner, member, reader, outsider = (
        User.objects.create_user(name, password="correct horse")
        for name in ("owner", "member", "reader", "outsider")
    )
    matter = matters.create("Harbour dispute", owner)
    matters.set_member(matter, member, Role.MEMBER)
    matters.set_member(matter, reader, Role.READER)
    return People(owner, member, reader, outsider, matter, matters.create("Other people's affairs", outsider))


@pytest.fixture
def people(db) -> People:
    return make_people()


@pytest.fixture(scope="session", autouse=True)
def _engines() -> Iterator[None]:
    """What a test opened in this process is closed at the end, so that a warning of it stays an error."""
    yield
    engines.close()


@pytest.fixture(scope="session", autouse=True)
def _append_only() -> Iterator[None]:
    with emptying():
        yield


@pytest.fixture
def service(transactional_db) -> Iterator[Broker]:
    """The embedded broker, worker, scheduler and index of this process."""
    from ingestion.service import running

    with running() as broker:
        yield broker


@pytest.fixture(scope="session")
def live(tmp_path_factory) -> Iterator["Live"]:
    """A really running service with the demo matter in it: its address, its admin's password and token."""
    surroundings = environment(tmp_path_factory.mktemp("live"))
    manage({**surroundings, "PINCITE_ADMIN_PASSWORD": "correct horse battery"}, "setup")
    manage(surroundings, "demo")
    with serving(surroundings) as service:
        with service.client as client:
            [matter] = client.get("/matters").json()
        yield Live(service, "correct horse battery", matter["id"])


@dataclass(frozen=True)
class Live:
    service: Service
    password: str
    matter: str
