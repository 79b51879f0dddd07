"""What a server remembers is kept apart by the salt on the wire, and goes when it is told to."""

import logging
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from inference.app import ServerConfig, build_app
from inference.errors import InferenceError, Unavailable
from inference.generator import Generator, GeneratorConfig, Message, Options, homes, open_generator
from tests.inference.conftest import CACHE, KEY, serving, wait_for
from tests.inference.test_remote import END, closed_port, piece, replying

LEASE = [Message("user", "The lessee pays the rent on the first day of each month. " * 20)]
FORGET = "/v1/cache/forget"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("prefixes")


@pytest.fixture(scope="module")
def url(folder):
    """Our own server with the default model, and a cache on disk behind that in memory."""
    kept = {"disk_cache_bytes": 100 << 20, "disk_cache_dir": folder}
    model = GeneratorConfig(device="cpu", cache_dir=CACHE, **kept)
    with serving(build_app(ServerConfig(generator=model, api_key=KEY))) as address:
        yield address


@pytest.fixture
def remote(url) -> Generator:
    return open_generator(GeneratorConfig(url=url, api_key=KEY))


def cached(generator: Generator, scope: str) -> int:
    """Tokens of the prompt that had been read before under this scope."""
    stream = generator.stream(LEASE, Options(max_tokens=2, scope=scope), lambda: False)
    assert "".join(stream)
    assert stream.usage.prompt_tokens > 200
    return stream.usage.cached_tokens


def on_disk(folder: Path) -> set[Path]:
    """The folders of scopes that have files."""
    return {file.parent for file in folder.rglob("*.safetensors")}


def test_two_scopes_share_nothing_and_one_scope_everything(remote):
    assert [cached(remote, "a") > 200 for _ in range(2)] == [False, True]
    assert cached(remote, "b") == 0
    assert cached(remote, "") == 0


def test_a_scope_is_forgotten_in_memory_and_on_disk_and_no_other(remote, folder):
    before = on_disk(folder)
    assert cached(remote, "kept") == 0
    wait_for(lambda: len(on_disk(folder) - before) == 1)
    [kept] = on_disk(folder) - before
    assert cached(remote, "deleted") == 0
    wait_for(lambda: len(on_disk(folder) - before) == 2)
    remote.forget("deleted")
    wait_for(lambda: on_disk(folder) - before == {kept})  # between two steps of the engine
    assert cached(remote, "deleted") == 0
    assert cached(remote, "kept") > 200
    remote.forget("deleted")
    remote.forget("deleted")  # and nothing is wrong with doing it again
    assert cached(remote, "deleted") == 0


def test_only_who_has_the_key_and_names_a_salt_makes_it_forget(url, remote):
    assert cached(remote, "mine") == 0
    with pytest.raises(InferenceError, match="refused the API key"):
        open_generator(GeneratorConfig(url=url, api_key="another")).forget("mine")
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        statuses = [client.post(FORGET, json=body).status_code for body in ({}, {"cache_salt": ""}, [])]
        assert statuses == [400, 400, 400]
        assert client.post(FORGET, json={"cache_salt": "nobody's"}).status_code == 204
    assert cached(remote, "mine") > 200


def test_a_server_that_was_never_used_need_not_load_its_model_to_forget(tmp_path):
    kept, deleted = (homes.home(tmp_path, scope) for scope in ("kept", "deleted"))
    for home in (kept, deleted):
        home.mkdir()
        (home / "block.safetensors").write_bytes(b"what was read before the server was started")
    model = GeneratorConfig(model="/nonexistent/model", disk_cache_bytes=1 << 20, disk_cache_dir=tmp_path)
    with serving(build_app(ServerConfig(generator=model))) as address:
        open_generator(GeneratorConfig(url=address)).forget("deleted")
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_knows_no_forgetting_is_left_alone_and_that_is_said_once(status, caplog):
    with (
        replying(PlainTextResponse("Not Found", status)) as url,
        caplog.at_level(logging.WARNING, "inference.generator.remote"),
    ):
        generator = open_generator(GeneratorConfig(url=url, model="m"))
        generator.forget("a")
        generator.forget("b")
    assert [record.getMessage().partition(" keeps ")[2] for record in caplog.records] == [
        "what it has read until it runs out: it knows no way to forget it."
    ]


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_has_not_forgotten(status):
    with replying(PlainTextResponse("", status)) as url, pytest.raises(Unavailable):
        open_generator(GeneratorConfig(url=url, model="m")).forget("a")
    with pytest.raises(Unavailable, match="cannot be reached"):
        open_generator(GeneratorConfig(url=closed_port(), model="m")).forget("a")


def test_other_servers_are_sent_the_scope_as_their_salt():
    sent: list[dict] = []

    async def endpoint(request: Request) -> Response:
        sent.append(await request.json())
        return PlainTextResponse(piece("Yes.") + END, media_type="text/event-stream")

    with serving(Starlette(routes=[Route("/v1/chat/completions", endpoint, methods=["POST"])])) as address:
        generator = open_generator(GeneratorConfig(url=address, model="m"))
        for scope in ("matter-1", ""):
            list(generator.stream(LEASE, Options(scope=scope), lambda: False))
        generator.warm(LEASE, "matter-2", lambda: False)
    assert [body.get("cache_salt") for body in sent] == ["matter-1", None, "matter-2"]
