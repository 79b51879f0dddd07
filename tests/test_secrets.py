"""Planted secrets: a really running service at its most talkative, provoked on every side, tells none.

Not in its log with every traceback, not in messages of the broker, not in responses that say what went wrong,
not in the audit's export, not in the rows of jobs and answers.
"""

import base64
import json
import re
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import redis
from fpdf import FPDF

from bench.serving import ROOT, environment, free_port, manage, wait_for

KINDS = """
    secret-key admin-password wrong-password new-password token foreign-token narrow-token session csrf
    webhook-secret webhook-address pdf-password wrong-pdf-password idempotency-key embedder-password
    embedder-key generator-password generator-key cache-key database-password redis-password qdrant-key
    """.split()
MAKE_AUDITOR = """
from django.contrib.auth.models import Group, User
User.objects.get().groups.add(Group.objects.get_or_create(name="Auditors")[0])
"""
ROWS = ("knowledge_job", "knowledge_answer", "knowledge_version", "knowledge_delivery", "knowledge_run")


class Planted(dict[str, str]):
    """The secrets by what they are, and everything in which one was looked for."""

    def told_in(self, text: str) -> list[str]:
        """Also as they go over the wire in HTTP's basic authentication."""
        coded = {name: base64.b64encode(f"planted:{value}".encode()).decode() for name, value in self.items()}
        return sorted(name for name, value in self.items() if value in text or coded[name] in text)


def make() -> Planted:
    return Planted({kind: f"planted-{kind}-{secrets.token_hex(8)}" for kind in KINDS})


@contextmanager
def echoing() -> Iterator[str]:
    """A server for models that refuses everything and repeats the credentials it got, as some do."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = f"Incorrect key: {self.headers.get('Authorization', '').split(' ')[-1]}"
            body = json.dumps({"error": {"message": said, "code": 401}}).encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Provoked:
    """The service with the secrets in it, and all that it said."""

    def __init__(self, directory: Path, planted: Planted, models: str) -> None:
        self.planted, self.directory = planted, directory
        self.log = directory / "log"
        self.environment = environment(directory / "data") | {
            "PINCITE_LOG_LEVEL": "DEBUG",
            "PINCITE_SECRET_KEY": planted["secret-key"],
            "PINCITE_ADMIN_PASSWORD": planted["admin-password"],
            "PINCITE_WEBHOOK_HOSTS": "127.0.0.1",
            "GENERATOR_URL": f"http://planted:{planted['generator-password']}@{models}",
            "GENERATOR_API_KEY": planted["generator-key"],
            "GENERATOR_CACHE_KEY": planted["cache-key"],
        }
        self.refusals: list[str] = []
        self.messages: list[str] = []
        self.exports: list[str] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        self.log.touch()
        with self.log.open("a") as log:
            command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port := free_port())]
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            watch = threading.Thread(target=self._watch_broker, daemon=True)
            try:
                wait_for(f"http://127.0.0.1:{port}/login/", 240)
                watch.start()
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(timeout=30)

    def _watch_broker(self) -> None:
        client = redis.Redis(unix_socket_path=str(self.directory / "data" / "broker" / "broker.sock"))
        try:
            with client.monitor() as monitor:
                for command in monitor.listen():
                    self.messages.append(str(command["command"]))
        except redis.ConnectionError:
            return

    def heard(self, response: httpx.Response) -> httpx.Response:
        """What went wrong must not say with what."""
        if response.status_code >= 400:
            self.refusals.append(f"{response.text} {response.headers}")
        return response

    def command(self, *words: str, **changed: str) -> None:
        """A command of manage.py that fails; what it printed is part of the log."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env={**self.environment, **changed}, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
        with self.log.open("a") as log:
            log.write(done.stdout + done.stderr)

    def rows(self) -> str:
        base = sqlite3.connect(self.directory / "data" / "pincite.sqlite3")
        found = [str(row) for table in ROWS for row in base.execute(f"SELECT * FROM {table}")]  # noqa: S608
        base.close()
        return "\n".join(found)


def sign_in(provoked: Provoked, url: str) -> httpx.Client:
    """A wrong password first, typed into both fields."""
    planted = provoked.planted
    browser = httpx.Client(base_url=url, follow_redirects=True, timeout=60)
    csrf = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/login/").text)[0]
    for name, password in (
        ("admin", planted["wrong-password"]),
        (planted["wrong-password"], "x"),
        ("admin", planted["admin-password"]),
    ):
        form = {"username": name, "password": password, "csrfmiddlewaretoken": csrf}
        browser.post("/login/", data=form)
    planted["session"], planted["csrf"] = browser.cookies["sessionid"], browser.cookies["csrftoken"]
    browser.headers["X-CSRFToken"] = planted["csrf"]
    browser.headers["Referer"] = url
    return browser


def pdf(password: str) -> bytes:
    made = FPDF()
    made.add_page()
    made.set_font("Helvetica", size=12)
    made.text(50, 50, "The rent is 2400 a month.")
    made.set_encryption(owner_password=password, user_password=password)
    return bytes(made.output())


def provoke(provoked: Provoked, url: str) -> None:
    """Everything that people and programs do with a secret, done well and badly."""
    planted = provoked.planted
    with closing(sign_in(provoked, url)) as browser:
        planted["token"] = token(browser, "read", "ask", "upload", "manage")
        planted["narrow-token"] = token(browser, "read")
        matter = browser.post("/api/v1/matters", json={"name": "Provoked"}).json()["id"]
        headers = {"Authorization": f"Bearer {planted['token']}"}
        with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60) as api:
            planted["webhook-secret"] = api.post(f"/matters/{matter}/webhooks", json=hook(planted)).json()[
                "secret"
            ]
            refuse(provoked, api, browser, matter)
            unlock(provoked, api, matter)
            ask(provoked, api, browser, matter)
            break_down(provoked, api, browser, matter)
            provoked.exports += [
                api.get(path).text for path in ("/audit/export", "/health", f"/matters/{matter}/usage")
            ]
        provoked.exports += [browser.get(path).text for path in ("/audit/export.csv", "/health/")]


def token(browser: httpx.Client, *rights: str) -> str:
    return str(browser.post("/api/v1/tokens", json={"name": "t", "rights": rights}).json()["token"])


def hook(planted: Planted) -> dict[str, object]:
    """Where nobody listens."""
    address = f"http://127.0.0.1:1/{planted['webhook-address']}"
    return {"url": address, "events": ["document.failed", "document.done"]}


def unlock(provoked: Provoked, api: httpx.Client, matter: str) -> None:
    """A locked file is tried with the wrong password and with the right one."""
    planted = provoked.planted
    document = upload(api, matter, planted)
    for password in (planted["wrong-pdf-password"], planted["pdf-password"]):
        settled(api, document)
        provoked.heard(api.post(f"/documents/{document}/retry", data={"password": password}))
    settled(api, document)


def refuse(provoked: Provoked, api: httpx.Client, browser: httpx.Client, matter: str) -> None:
    """Credentials that do not hold, and bodies that do not fit, each with a secret in it."""
    planted = provoked.planted
    for token in (planted["foreign-token"], f"{planted['token']}x", planted["narrow-token"]):
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": planted["idempotency-key"]}
        provoked.heard(api.post(f"/matters/{matter}/ask", json={"question": "Rent?"}, headers=headers))
        provoked.heard(api.get(f"/matters/{matter}x", headers=headers))
    for _ in range(2):
        provoked.heard(
            api.post(
                "/tokens",
                json={"name": "", "rights": []},
                headers={"Idempotency-Key": planted["idempotency-key"]},
            )
        )
    user = {
        "username": "new person",
        "password1": planted["new-password"],
        "password2": "another",
        "usable_password": "true",
    }
    provoked.refusals.append(browser.post("/admin/auth/user/add/", data=user).text)
    provoked.heard(browser.post("/login/", data={"username": "x"}, headers={"X-CSRFToken": "wrong"}))


def upload(api: httpx.Client, matter: str, planted: Planted) -> str:
    file = {"file": ("lease.pdf", pdf(planted["pdf-password"]))}
    return str(api.post(f"/matters/{matter}/documents", files=file).json()["document"]["id"])


def settled(api: httpx.Client, document: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if api.get(f"/documents/{document}").json()["state"] not in {"waiting", "processing"}:
            return
        time.sleep(0.2)
    raise AssertionError("The document was not settled.")


def ask(provoked: Provoked, api: httpx.Client, browser: httpx.Client, matter: str) -> None:
    """The server for models refuses, and repeats what it was given."""
    for _ in range(2):
        said = provoked.heard(api.post(f"/matters/{matter}/ask", json={"question": "How much is the rent?"}))
        assert "refused the API key" in said.text
    page = browser.post(f"/matters/{matter}/ask/", data={"question": "How much is the rent a month?"})
    provoked.refusals.append(page.text)
    provoked.refusals.append(browser.get(f"{page.url.path}stream/").text)
    provoked.refusals.append(browser.get(page.url.path).text)


def break_down(provoked: Provoked, api: httpx.Client, browser: httpx.Client, matter: str) -> None:
    """A table is gone in the midst of it: our own bugs would look like this, with tracebacks in the log."""
    base = sqlite3.connect(provoked.directory / "data" / "pincite.sqlite3", timeout=30)
    base.execute("ALTER TABLE knowledge_webhook RENAME TO hidden")
    broken = [
        api.post(f"/matters/{matter}/webhooks", json=hook(provoked.planted)),
        api.get(f"/matters/{matter}/webhooks"),
    ]
    base.execute("ALTER TABLE auth_group RENAME TO hidden_too")
    broken += [browser.post(f"/matters/{matter}/groups/", data={"group": "x"}), browser.get("/")]
    assert 500 in [provoked.heard(response).status_code for response in broken]
    base.execute("ALTER TABLE hidden RENAME TO knowledge_webhook")
    base.execute("ALTER TABLE hidden_too RENAME TO auth_group")
    base.close()


def elsewhere(provoked: Provoked, models: str) -> None:
    """Databases, brokers, indexes and embedders that cannot be reached or refuse."""
    planted, nowhere = provoked.planted, f"127.0.0.1:{free_port()}"
    provoked.command("migrate", DATABASE_URL=f"postgres://planted:{planted['database-password']}@{nowhere}/p")
    count = "generations.index(generations.current()).count(Where(frozenset({uuid4()})))"
    modules = "from uuid import uuid4; from knowledge import generations; from knowledge.index import Where"
    asked = f"{modules}; {count}"
    provoked.command(
        "shell", "-c", asked, QDRANT_URL=f"http://{models}", QDRANT_API_KEY=planted["qdrant-key"]
    )
    embed = "from knowledge import engines; engines.embedder().embed_query('rent')"
    address = f"http://planted:{planted['embedder-password']}@{models}"
    for url in (address, f"http://{models}"):
        provoked.command("shell", "-c", embed, EMBEDDER_URL=url, EMBEDDER_API_KEY=planted["embedder-key"])
    tell = "from uuid import uuid4; from knowledge import queue; queue.wake(uuid4()); queue.waiting()"
    provoked.command("shell", "-c", tell, REDIS_URL=f"redis://:{planted['redis-password']}@{nowhere}/0")


@pytest.fixture(scope="module")
def provoked(tmp_path_factory) -> Iterator[Provoked]:
    with echoing() as models:
        made = Provoked(tmp_path_factory.mktemp("provoked"), make(), models)
        manage(made.environment, "setup")
        manage(made.environment, "shell", "-c", MAKE_AUDITOR)
        with made.serving() as url:
            provoke(made, url)
            time.sleep(2)  # for what is done in the background
        elsewhere(made, models)
        yield made


def test_there_are_twenty_secrets_and_all_were_in_use(provoked):
    assert len(provoked.planted) >= 20
    assert len(set(provoked.planted.values())) == len(provoked.planted)


def test_the_service_spoke_and_failed_enough_to_tell_them(provoked):
    log = provoked.log.read_text()
    assert log.count("Traceback") >= 6
    assert " DEBUG " in log
    assert len(provoked.refusals) > 10
    assert any("ingestion.tasks" in message or "LPUSH" in message for message in provoked.messages)
    assert "sequence" in provoked.exports[0]


@pytest.mark.parametrize("place", ["log", "refusals", "messages", "exports", "rows"])
def test_no_secret_is_told(provoked, place):
    said = {
        "log": provoked.log.read_text,
        "rows": provoked.rows,
        "refusals": lambda: "\n".join(provoked.refusals),
        "messages": lambda: "\n".join(provoked.messages),
        "exports": lambda: "\n".join(provoked.exports),
    }[place]()
    assert len(said) > 100
    assert provoked.planted.told_in(said) == []
