"""Probes: each sends a foreign id, and the same with an id of nothing; both must look the same, tell nothing.

Everything runs against two matters with a row of every kind (tests/world.py). Whatever a probe changes is
taken back, so that each finds the same.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client

from knowledge import access, audit, blobs, entrance, matters, walls
from knowledge.models import Answer, ApiToken, Matter, Right, Role, Run, Step, Version
from tests import doors, world
from tests.doors import Door, Field

ASK, TELL, PERSON = "plantedask", "plantedtell", "plantedperson"
CSRF = re.compile(r"\b[A-Za-z0-9]{64}\b")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)|\d+\xa0minutes?")  # told, or how long ago
SECRET = re.compile(r"pincite_[\w-]{43}|whsec_[\w+/=]+")
NUMBER = re.compile(r"(?<=/tokens/)\d+(?=/revoke/)")  # some databases never give the number of a row twice
VARYING = {
    "RateLimit",
    "Retry-After",
    "ETag",
    "Content-Length",
    "Expires",
}  # of time, or of what is compared anyway
SESSIONS = """anonymous outsider reader member manager former closed admin auditor
    walled walled_by_group""".split()
TOKENS = """outsider_token reader_token manager_token limited_token walled_token admin_token
    auditor_token read_only ask_only upload_only manage_only""".split()
MANAGERS = {"manager", "manager_token", "limited_token", "manage_only", "read_only"}


@dataclass(frozen=True)
class Probe:
    """`at`: the names in the path that are foreign. With `field` that is foreign, and the path our own."""

    door: Door
    persona: str
    at: tuple[str, ...] = ()
    field: Field | None = None

    def __str__(self) -> str:
        where = f"{self.field.place} {self.field.name}" if self.field else " ".join(self.at) or "nothing"
        return f"{self.persona}: {self.door.method} {self.door.path} ({where} foreign)"


def every() -> list[Probe]:
    """Each door by each persona with each of its ids, and with none."""
    return [probe for door in doors.doors() for probe in _of(door)]


def _of(door: Door) -> Iterator[Probe]:
    names = door.names
    parts = [(), *((name,) for name in names), *([names] if len(names) > 1 else [])]
    for persona in (*SESSIONS, *(TOKENS if door.is_api else ())):
        for at in parts:
            yield Probe(door, persona, at)
        for field in door.fields:
            yield Probe(door, persona, field=field)


@dataclass(frozen=True)
class Persona:
    cookies: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Heard:
    """A response: what is compared, and all of it in one text."""

    status: int
    headers: dict[str, str]
    text: str
    said: list[str]

    @property
    def all(self) -> str:
        return "\n".join([self.text, *self.headers.values(), *self.said])


class Stage:
    """Our matter, the foreign one, and everybody who has no business in the foreign one."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)
        people = {name: User.objects.create_user(name) for name in ("owner", "insider", *SESSIONS)}
        stranger = User.objects.create_user(f"{PERSON}-1", first_name=PERSON, email=f"{PERSON}@example.com")
        people["admin"].is_staff = people["admin"].is_superuser = True
        people["admin"].save()
        self.own = world.build(matters.create("Own", people["owner"]), people["owner"], "ownask owntell")
        self.foreign = world.build(matters.create("Foreign", stranger), stranger, f"{ASK} {TELL}")
        for each in (self.own, self.foreign):
            settle(each)
        # Whose pages can be drawn; nobody who is not let in comes so far.
        Version.objects.filter(document__matter=self.foreign.matter).update(media_type="application/pdf")
        self._let_in(people)
        audit.record(audit.Act.READ, matter_id=self.own.matter.pk, by=self.own.owner)
        people["stranger"] = stranger  # whose the foreign matter is
        self.personas = {name: signed_in(people[name]) for name in (*SESSIONS, "stranger")}
        self.personas |= {name: bearer(token) for name, token in tokens(people, self.own.matter).items()}
        User.objects.filter(pk=people["closed"].pk).update(is_active=False)
        self.ids = {"own": named(self.own), "foreign": named(self.foreign)}

    def _let_in(self, people: dict[str, User]) -> None:
        for name, role in {"reader": 1, "member": 2, "manager": 3, "insider": 3}.items():
            matters.set_member(self.own.matter, people[name], Role(role))
        for name in ("insider", "former", "closed", "walled"):
            matters.set_member(self.foreign.matter, people[name], Role.MANAGER)
        matters.remove_member(self.foreign.matter, people["former"])
        group = Group.objects.create(name=f"{PERSON} group")
        people["walled_by_group"].groups.add(group)
        matters.set_group(self.foreign.matter, group, Role.MANAGER)
        terms = walls.Terms(f"{TELL} reason")
        for against in (people["walled"], group):
            walls.raise_wall(self.foreign.matter, against, terms, people["insider"])
        people["auditor"].groups.add(Group.objects.get_or_create(name=access.AUDITORS)[0])

    def problem(self, probe: Probe) -> str:
        """What this probe gives away; "" when it gives away nothing."""
        foreign, sent = self.send(probe, "foreign")
        if told := self.planted(probe, foreign.all, sent):
            return f"{probe}: {foreign.status} tells {told}"
        if foreign.status >= 500:
            return f"{probe}: {foreign.status}"
        if not (probe.at or probe.field) or probe.door.path in doors.FRESH or is_known_to(probe):
            return ""
        missing, sent_then = self.send(probe, "missing")
        both = [*sent, *sent_then]  # a number may stand in either response by chance
        seen, expected = plain(foreign, both), plain(missing, both)
        return "" if seen == expected else f"{probe}: {difference(seen, expected)}"

    def planted(self, probe: Probe, text: str, sent: list[str]) -> list[str]:
        """What stands in the foreign matter and in the text, but for what was sent and may be known."""
        text = without([*sent, *self.permitted(probe)], text)
        ids = {pk for pk in self.ids["foreign"].values() if len(pk) == 36}
        return [each for each in (TELL, PERSON, *ids) if each in text]

    def permitted(self, probe: Probe) -> list[str]:
        """Auditors see who did what where; the names of people and groups are for auditors and managers."""
        path = probe.door.path
        if is_audited(probe):
            return [self.foreign.matter.name, *self.ids["foreign"].values(), PERSON]
        if probe.persona == "admin" and path.startswith("/admin/"):
            named = [self.ids["foreign"][name] for name in ("matter_id", "wall_id")]
            said = [f"{TELL} {name}" for name in ("reason", "notice", "purpose")]  # of walls, of programs
            return [self.foreign.matter.name, *named, PERSON, *said]
        is_of_people = path.endswith(("/access/", "/walls/", "/groups"))
        return [f"{PERSON} group"] if is_of_people and probe.persona in MANAGERS else []

    def send(self, probe: Probe, target: str) -> tuple[Heard, list[str]]:
        """The response, with its changes taken back, and what was sent of the target."""
        ids = {name: self.ids["own"][doors.kind(name)] for name in probe.door.names}
        given = {name: self.id_of(target, name) for name in probe.at}
        query, body = dict(probe.door.query), dict(probe.door.body)
        if "username" in query:
            query["username"] = self.ids["own"]["username"]
        sent = list(given.values())
        if probe.field is not None:
            value = self.id_of(target, probe.field.name)
            sent.append(value)
            (query if probe.field.place == "query" else body)[probe.field.name] = probe.field.value(value)
        path = fill(probe.door.path, {**ids, **given})
        for words in (query, body):
            words |= {name: f"What does {ASK} pay?" for name in ("q", "question") if name in words}
        return self._heard(probe, path, query, body), [*sent, *map(quote, sent)]

    def id_of(self, target: str, name: str) -> str:
        kind = doors.kind(name)
        if target != "missing":
            return self.ids[target][kind]
        sample = self.ids["own"][kind]
        if kind in doors.NAMES.values():
            return "nobody-here"
        return str(uuid4()) if len(sample) == 36 else "987654321"

    def _heard(self, probe: Probe, path: str, query: dict[str, Any], body: dict[str, Any]) -> Heard:
        persona = self.personas[probe.persona]
        address = f"{path}?{urlencode(query, doseq=True)}"
        self.client.cookies.clear()
        self.client.cookies.load(persona.cookies)
        with transaction.atomic():
            sent = encoded(probe.door, body)
            heard = read(self.client.generic(probe.door.method, address, **sent, headers=persona.headers))
            transaction.set_rollback(True)
        return heard


def settle(each: world.World) -> None:
    """Nothing is at work, so that no stream waits and no text is generated; words also in what is JSON."""
    matter, said = each.matter, f"{each.word} said."
    sentence = {"text": said, "citations": [1], "problem": said}
    Answer.objects.filter(matter=matter).update(state=Answer.State.DONE, sentences=[sentence])
    report = [{"heading": said, "lines": [{"text": said, "findings": []}]}]
    Run.objects.filter(matter=matter).update(state=Run.State.DONE, report=report)
    Step.objects.filter(run__matter=matter).update(data={"text": said})
    Version.objects.filter(document__matter=matter).update(metadata={"subject": said})
    file = blobs.path(matter.pk, str(Version.objects.get(document__matter=matter).sha256))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(said)
    matter.refresh_from_db()


def tokens(people: dict[str, User], own: Matter) -> dict[str, str]:
    plain = {f"{name}_token": ApiToken.issue(people[name], "t")
             for name in ("outsider", "reader", "manager", "walled", "admin", "auditor")}  # fmt: skip
    narrow = {f"{right}_only": ApiToken.issue(people["manager"], "t", [right]) for right in Right.values}
    return {**plain, **narrow, "limited_token": ApiToken.issue(people["insider"], "t", None, [own])}


def signed_in(person: User) -> Persona:
    client = Client()
    if person.username != "anonymous":
        client.force_login(person)
        session = client.session  # with a second factor, shown a moment ago
        session.update({entrance.SHOWN: time.time(), entrance.FACTOR: "app"})
        session.save()
    return Persona({name: each.value for name, each in client.cookies.items()}, {})


def bearer(token: str) -> Persona:
    return Persona({}, {"Authorization": f"Bearer {token}"})


@contextmanager
def one_connection() -> Iterator[None]:
    """The ASGI application keeps the connection of the test, as Django's own client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def named(each: world.World) -> dict[str, str]:
    owner = each.owner
    factor, _ = Authenticator.objects.get_or_create(user=owner, type="totp", data={"secret": "A"})
    sign_on, _ = SocialAccount.objects.get_or_create(user=owner, provider="oidc", uid=f"uid-{owner.pk}")
    personal = {"factor_id": factor, "socialaccount_id": sign_on, "user_id": owner}
    numbers = {name: str(row.pk) for name, row in personal.items()}
    names = {"username": owner.username, "group_name": str(each.rows["Group"])}
    return {**each.ids(), **names, **numbers, "serviceaccount_id": str(each.rows["ServiceAccount"].pk)}


def fill(path: str, ids: dict[str, str]) -> str:
    return doors.PARAMETER.sub(lambda found: ids.get(found[2]) or doors.FIXED[found[2]], path)


def encoded(door: Door, body: dict[str, Any]) -> dict[str, Any]:
    """The body as the door takes it."""
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    if door.method in {"GET", "HEAD"}:
        return {}
    if door.path.rstrip("/").endswith("/documents") or "file" in body or not door.is_api:
        file = SimpleUploadedFile("probe.txt", b"probe")
        body = (
            {**body, "file": file}
            if door.is_api
            else {**body, "files": file}
            if "documents" in door.path
            else body
        )
        return {"data": encode_multipart(BOUNDARY, body), "content_type": MULTIPART_CONTENT}
    import json

    return {"data": json.dumps(body), "content_type": "application/json"}


def read(response: Any) -> Heard:
    content = b""
    if not response.streaming:
        content = response.content
    elif not response["Content-Type"].startswith("text/event-stream"):
        content = b"".join(response)
    headers = {name: value for name, value in response.items() if name not in VARYING}
    request = getattr(response, "wsgi_request", None)
    said = (
        [str(each) for each in get_messages(request)._queued_messages]
        if request is not None and hasattr(request, "_messages")
        else []
    )
    return Heard(response.status_code, headers, content.decode(errors="replace"), said)


def plain(heard: Heard, sent: list[str]) -> tuple[int, str]:
    """What two responses are compared by. An act that was done also tells its own new ids and moments."""
    text = "\n".join(
        [*(f"{name}: {value}" for name, value in sorted(heard.headers.items())), *heard.said, heard.text]
    )
    text = CSRF.sub("csrf", without(sent, text))
    if heard.status < 400:
        for pattern in (SECRET, NUMBER, doors.AN_ID, MOMENT):
            text = pattern.sub("new", text)
    return heard.status, text


def without(known: list[str], text: str) -> str:
    """The text with what is known already taken out; of numbers only those that stand by themselves."""
    for each in known:
        pattern = rf"(?<![\w-]){each}(?!\w)" if each.isdecimal() else re.escape(each)
        text = re.sub(pattern, "id", text)
    return text


def is_audited(probe: Probe) -> bool:
    """Auditors see who did what where."""
    return probe.persona.startswith("auditor") and probe.door.path.startswith(("/audit/", "/api/v1/audit"))


def is_known_to(probe: Probe) -> bool:
    """Managers may know who is a user and which groups there are; the admin is of the whole firm."""
    names = (probe.field.name,) if probe.field else probe.at
    is_name = bool({doors.kind(name) for name in names} & set(doors.NAMES.values()))
    is_admins = probe.persona == "admin" and probe.door.path.startswith("/admin/")
    return is_audited(probe) or is_admins or (is_name and probe.persona in MANAGERS)


def difference(seen: tuple[int, str], expected: tuple[int, str]) -> str:
    if seen[0] != expected[0]:
        return f"{seen[0]} but {expected[0]}"
    place = next((n for n, (a, b) in enumerate(zip(seen[1], expected[1], strict=False)) if a != b), 0)
    return f"{seen[0]}: {seen[1][place - 40 : place + 80]!r} but {expected[1][place - 40 : place + 80]!r}"
