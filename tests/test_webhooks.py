"""Webhooks: made from rows, signed, retried, replayed, and never sent to where they must not go."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from knowledge import documents, jobs, matters, outbound, webhooks
from knowledge.models import Answer, Delivery, Role, Webhook

EVENTS = ["document.done", "document.failed", "answer.done"]


class Receiver:
    """A real web server that answers as told and keeps what it got."""

    def __init__(self) -> None:
        self.status, self.location, self.got = 200, "", []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def hook(people, receiver, settings) -> Webhook:
    settings.WEBHOOK_HOSTS = {"127.0.0.1"}
    return webhooks.create(people.matter, people.owner, receiver.url, EVENTS)


def failed_document(people):
    version = documents.add(people.matter, "letter.txt", [b"Dear Sirs"], people.owner).version
    jobs.fail(jobs.claim(version.job.pk), "The file is damaged.")
    return version


def deliver() -> None:
    webhooks.notice()
    webhooks.deliver(60)


def test_what_happened_is_told_once_and_signed(people, hook, receiver):
    version = failed_document(people)
    answer = Answer.objects.create(matter=people.matter, asker=people.owner, question="?", state="done")
    deliver()
    deliver()
    told = {json.loads(body)["type"]: (headers, body) for headers, body in receiver.got}
    assert sorted(told) == ["answer.done", "document.failed"]
    assert len(receiver.got) == 2
    headers, body = told["document.failed"]
    ids = {"matter_id": str(people.matter.pk), "document_id": str(version.document_id)}
    assert json.loads(body)["data"].items() >= ids.items()
    stamp = int(headers["webhook-timestamp"])
    assert abs(stamp - timezone.now().timestamp()) < 60
    assert headers["webhook-signature"] == webhooks.signature(hook.secret, headers["webhook-id"], stamp, body)
    assert json.loads(told["answer.done"][1])["data"]["answer_id"] == str(answer.pk)
    assert b"damaged" not in body  # ids and states only


def test_a_wrong_secret_does_not_verify(people, hook, receiver):
    failed_document(people)
    deliver()
    headers, body = receiver.got[0]
    stamp, pk = int(headers["webhook-timestamp"]), headers["webhook-id"]
    other = Webhook(url="x")
    assert headers["webhook-signature"] != webhooks.signature(other.secret, pk, stamp, body)
    assert headers["webhook-signature"] != webhooks.signature(hook.secret, pk, stamp + 1, body)


def test_only_what_was_asked_for_and_came_later_is_told(people, receiver, settings):
    settings.WEBHOOK_HOSTS = {"127.0.0.1"}
    failed_document(people)
    webhooks.create(people.matter, people.owner, receiver.url, EVENTS)
    webhooks.create(people.foreign, people.outsider, receiver.url, EVENTS)
    webhooks.create(people.matter, people.owner, receiver.url, ["document.done"])
    Answer.objects.create(matter=people.matter, asker=people.owner, question="?", state="failed")
    deliver()
    assert receiver.got == []


def test_a_failure_is_tried_again_with_growing_pauses_then_given_up(people, hook, receiver):
    receiver.status = 500
    failed_document(people)
    pauses = []
    for _ in range(webhooks.ATTEMPTS):
        deliver()
        row = Delivery.objects.get()
        pauses.append((row.due_at - timezone.now()).total_seconds())
        Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    deliver()
    row.refresh_from_db()
    assert (row.state, row.status, row.attempts) == ("failed", 500, webhooks.ATTEMPTS)
    assert len(receiver.got) == webhooks.ATTEMPTS
    assert [round(pause / 10) for pause in pauses[:-1]] == [1, 4, 16, 64, 256, 1024]


def test_a_worker_that_dies_over_it_leaves_it_due(people, hook, receiver, monkeypatch):
    failed_document(people)
    webhooks.notice()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            webhooks.send(Delivery.objects.get().pk)
    row = Delivery.objects.get()
    assert (row.state, row.attempts) == ("due", 1)
    assert not webhooks.send(row.pk)  # its lease still runs
    Delivery.objects.update(due_at=timezone.now())
    assert webhooks.send(row.pk)


def test_a_delivery_is_replayed_with_the_same_id(people, hook, receiver):
    failed_document(people)
    deliver()
    api = Client(headers=people.token(people.owner))
    [row] = api.get(f"/api/v1/webhooks/{hook.pk}/deliveries").json()
    assert row["state"] == "sent"
    assert api.post(f"/api/v1/deliveries/{row['id']}/replay").status_code == 202
    deliver()
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_nothing_is_sent_for_who_no_longer_manages_the_matter(people, hook, receiver):
    matters.set_member(people.matter, people.member, Role.MANAGER)
    matters.set_member(people.matter, people.owner, Role.READER)
    failed_document(people)
    deliver()
    assert receiver.got == []
    assert "does not manage" in Delivery.objects.get().reason


def test_redirects_are_not_followed(people, hook, receiver):
    receiver.status, receiver.location = 302, receiver.url
    failed_document(people)
    deliver()
    assert len(receiver.got) == 1
    assert Delivery.objects.get().status == 302


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 10.0.0.1 192.168.1.1 172.16.0.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 [::1] [fe80::1] "
    "[fd00::1] [::ffff:127.0.0.1] [2002:7f00:1::1] [64:ff9b::7f00:1] 2130706433 0x7f.1 localhost".split(),
)
def test_no_private_address_is_called(host):
    with pytest.raises(outbound.Refused):
        outbound.post(f"https://{host}/hook", b"{}", {})


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "ftp://example.com/", "https://", "https://a:b@example.com/", "x", "https://e x/",
     "https://example.com:99999/", "file:///etc/passwd", "https://ex\nample.com/"],
)  # fmt: skip
def test_what_is_no_proper_address_is_not_taken(people, url):
    api = Client(headers=people.token(people.owner))
    body = {"url": url, "events": ["document.done"]}
    path = f"/api/v1/matters/{people.matter.pk}/webhooks"
    assert api.post(path, body, "application/json").status_code == 422
    assert not Webhook.objects.exists()


def test_a_name_that_changes_after_the_check_leads_nowhere(monkeypatch, receiver):
    """DNS rebinding: public when asked first, private from then on. It is asked once, and that is called."""
    answers = [[(2, 1, 6, "", ("192.0.2.1", 443))], [(2, 1, 6, "", ("127.0.0.1", 443))]]
    asked, real = [], socket.getaddrinfo

    def lookup(host: str, *words: object, **named: object) -> list:
        if host in ("rebinding.example", b"rebinding.example"):
            asked.append(host)
            return answers[min(len(asked), 2) - 1]
        return real(host, *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(outbound.Refused):  # 192.0.2.0/24 is for documentation, so not public either
        outbound.post("https://rebinding.example/", b"{}", {})
    assert len(asked) == 1
    answers[0] = [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", ("127.0.0.1", 443))]
    asked.clear()
    with pytest.raises(outbound.Refused):  # one private address among public ones is enough
        outbound.post("https://rebinding.example/", b"{}", {})


def test_the_checked_address_is_the_one_that_is_called(monkeypatch, receiver, settings):
    """Looked up once: the second answer, which would lead elsewhere, is never asked for."""
    settings.WEBHOOK_HOSTS = {"hooks.internal"}
    port, asked, real = receiver.server.server_port, [], socket.getaddrinfo

    def lookup(host: str, *words: object, **named: object) -> list:
        if host in ("hooks.internal", b"hooks.internal"):
            asked.append(host)
            return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.9", port))]
        return real(host, *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert outbound.post(f"http://hooks.internal:{port}/", b"{}", {}) == 200
    assert asked == ["hooks.internal"]
    assert receiver.got[0][0]["Host"] == f"hooks.internal:{port}"


def test_a_server_that_drips_holds_nobody_up(people, settings, monkeypatch):
    """Each byte comes within the time for one step; the call as a whole has a deadline."""
    settings.WEBHOOK_HOSTS = {"127.0.0.1"}
    monkeypatch.setattr(outbound, "SECONDS_IN_ALL", 1.0)
    with dripping() as url:
        webhooks.create(people.matter, people.owner, url, EVENTS)
        failed_document(people)
        started = time.monotonic()
        deliver()
        assert time.monotonic() - started < 10
    row = Delivery.objects.get()
    assert (row.state, row.attempts) == ("due", 1)
    assert "ReadTimeout" in row.reason


@contextmanager
def dripping() -> Iterator[str]:
    """A real server that sends one byte of its headers after the other, for half a minute."""
    gone = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(300):
                if gone.wait(0.1):
                    return
                connection.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        gone.set()
        thread.join()


def test_only_managers_have_to_do_with_webhooks(people, hook):
    for person, status in ((people.reader, 403), (people.member, 403), (people.outsider, 404)):
        api = Client(headers=people.token(person))
        assert api.get(f"/api/v1/webhooks/{hook.pk}").status_code == status


def test_the_page_makes_a_webhook_shows_what_it_sent_and_sends_it_again(people, receiver, settings):
    settings.WEBHOOK_HOSTS = {"127.0.0.1"}
    browser = Client()
    browser.force_login(people.owner)
    path = f"/matters/{people.matter.pk}/webhooks/"
    made = browser.post(path, {"url": receiver.url, "events": EVENTS}).content.decode()
    hook = Webhook.objects.get()
    assert hook.secret in made
    failed_document(people)
    deliver()
    page = browser.get(path).content.decode()
    assert hook.secret not in page
    assert "response 200" in page
    delivery = Delivery.objects.get()
    assert f"/deliveries/{delivery.pk}/replay/" in page
    browser.post(f"/deliveries/{delivery.pk}/replay/")
    deliver()
    assert len(receiver.got) == 2
    browser.post(f"/webhooks/{hook.pk}/delete/")
    assert not Webhook.objects.exists()


def test_the_page_asks_for_all_deliveries_at_once_and_shows_the_latest_of_each(people, hook):
    browser = Client()
    browser.force_login(people.owner)
    path = f"/matters/{people.matter.pk}/webhooks/"
    queries = []
    for number in range(3):
        if number:
            hook.pk, hook._state.adding = uuid4(), True
            hook.save()
        for _ in range(25):
            Delivery.objects.create(webhook=hook, event="answer.done", subject=uuid4(), state="sent")
        with CaptureQueriesContext(connection) as asked:
            page = browser.get(path).content.decode()
        assert page.count("/replay/") == 20 * (number + 1)
        queries.append(len(asked))
    assert queries[1] == queries[2]


@pytest.mark.parametrize(
    ("url", "events", "said"),
    [
        ("https://127.0.0.1/", [], "Choose what it is told of."),
        ("", EVENTS, "Give the address"),
        ("http://x.example/", EVENTS, "must begin with https"),
    ],
)
def test_the_page_says_what_is_wrong_with_a_webhook(people, url, events, said):
    browser = Client()
    browser.force_login(people.owner)
    response = browser.post(f"/matters/{people.matter.pk}/webhooks/", {"url": url, "events": events})
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not Webhook.objects.exists()


def test_the_secret_is_shown_once_and_stored_nowhere(people):
    api = Client(headers=people.token(people.owner))
    path = f"/api/v1/matters/{people.matter.pk}/webhooks"
    made = api.post(path, {"url": "https://hooks.example.com/", "events": EVENTS}, "application/json").json()
    assert made["secret"].startswith("whsec_")
    assert "secret" not in api.get(f"/api/v1/webhooks/{made['id']}").json()
    assert made["secret"] not in str(Webhook.objects.get().__dict__)
