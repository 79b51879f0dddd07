"""`inference.server` with the remote clients at its other end: remote equals local."""

import socket
import threading
import time

import httpx
import numpy as np
import pytest

from inference.app import ServerConfig, build_app
from inference.embedder import EmbedderConfig, open_embedder
from inference.errors import Cancelled, ContextTooLong, InferenceError, Unavailable
from inference.generator import GeneratorConfig, Message, Options, Usage, open_generator
from inference.server import _config, _parser, main
from tests.inference.conftest import KEY, serving, wait_for

ASK = [Message("system", "Be brief."), Message("user", "Was ist ein Mietvertrag? 请用中文和 emoji ⚖️ 回答")]
ENDLESS = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4000, "stream": True}


def never():
    return False


@pytest.fixture(scope="module")
def url(tiny):
    local = GeneratorConfig(model=str(tiny), device="cpu")
    config = ServerConfig(EmbedderConfig(device="cpu"), local, KEY, most_waiting=2)
    with serving(build_app(config)) as address:
        yield address


@pytest.fixture
def remote(url):
    return open_generator(GeneratorConfig(url=url, api_key=KEY))


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
        yield client


def test_remote_text_equals_local_text(remote, tiny_generator):
    """Random weights write in all scripts of the vocabulary, so this is the test for non-ASCII text too."""
    options = Options(max_tokens=120)
    local = "".join(tiny_generator.stream(ASK, options, never))
    assert not local.isascii()
    assert "".join(remote.stream(ASK, options, never)) == local


def test_both_tell_what_the_generation_took(remote, tiny_generator):
    for generator in (remote, tiny_generator):
        stream = generator.stream(ASK, Options(max_tokens=9, scope="a matter"), never)
        assert stream.usage == Usage()
        assert "".join(stream)
        assert stream.usage.prompt_tokens == tiny_generator.count_prompt(ASK)
        assert stream.usage.written_tokens == 9
        assert stream.usage.cached_tokens is not None
        assert stream.usage.seconds_to_first_token > 0


def test_both_can_be_warmed(remote, tiny_generator):
    for generator in (remote, tiny_generator):
        read = generator.warm(ASK, "a matter", never).prompt_tokens
        assert tiny_generator.count_prompt(ASK) - 10 < read <= tiny_generator.count_prompt(ASK)


def test_stop_strings_and_penalties_are_passed_on(remote, tiny_generator):
    plain = "".join(tiny_generator.stream(ASK, Options(max_tokens=40), never))
    options = Options(max_tokens=40, stop=(plain[30:34],), repetition_penalty=1.3)
    local = "".join(tiny_generator.stream(ASK, options, never))
    assert "".join(remote.stream(ASK, options, never)) == local != plain


def test_remote_vectors_equal_local_vectors(url, embedder):
    texts = [
        "The rent is due.",
        "Die Kündigung bedarf der Schriftform.",
        "A much longer sentence about appeals.",
    ]
    remote = open_embedder(EmbedderConfig(url=url, api_key=KEY, batch_size=2))
    assert (remote.name, remote.dimensions) == (embedder.name, 384)
    np.testing.assert_allclose(remote.embed_passages(texts), embedder.embed_passages(texts), atol=5e-3)
    np.testing.assert_allclose(remote.embed_query(texts[0]), embedder.embed_query(texts[0]), atol=1e-6)
    assert remote.embed_passages([]).shape == (0, 384)


def test_the_server_tells_name_and_window(remote, tiny_generator):
    assert (remote.name, remote.window) == (tiny_generator.name, 4096)


def test_a_wrong_key_is_told_clearly(url):
    for call in (
        lambda: list(
            open_generator(GeneratorConfig(url=url, model="m", api_key="x")).stream(ASK, Options(), never)
        ),
        lambda: open_embedder(EmbedderConfig(url=url, model="m")).embed_query("rent"),
        lambda: open_generator(GeneratorConfig(url=url)).name,
    ):
        with pytest.raises(InferenceError, match=r"refused the API key.*missing or wrong") as caught:
            call()
        assert not isinstance(caught.value, Unavailable)


def test_another_model_than_asked_for_never_answers(url):
    with pytest.raises(InferenceError, match="no model “other”"):
        open_embedder(EmbedderConfig(url=url, model="other", api_key=KEY)).embed_query("rent")


def test_a_prompt_that_does_not_fit_is_told_as_such(remote):
    with pytest.raises(ContextTooLong, match="window"):
        list(remote.stream([Message("user", "rent " * 5000)], Options(), never))


def test_a_reply_in_one_piece(client, tiny_generator):
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}], "max_tokens": 9}
    reply = client.post("/v1/chat/completions", json=body).json()
    ask = [Message("user", "Hello")]
    [choice] = reply["choices"]
    assert choice["message"]["content"] == "".join(tiny_generator.stream(ask, Options(max_tokens=9), never))
    assert reply["usage"]["prompt_tokens"] == tiny_generator.count_prompt(ask)
    assert reply["model"] == tiny_generator.name


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("chat/completions", [], "not an object"),
        ("chat/completions", {}, "messages"),
        ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}, "role"),
        ("chat/completions", {"messages": [{"role": "user", "content": 5}]}, "text"),
        ("chat/completions", {"messages": [{"role": "user", "content": [{"image": 1}]}]}, "text"),
        ("chat/completions", {**ENDLESS, "max_tokens": 0}, "max_tokens"),
        ("chat/completions", {**ENDLESS, "temperature": "hot"}, "temperature"),
        ("chat/completions", {**ENDLESS, "stop": [1]}, "stop"),
        ("embeddings", {"input": []}, "1 to 2048"),
        ("embeddings", {"input": [[1, 2]]}, "input"),
    ],
)
def test_a_wrong_request_is_refused_in_the_usual_form(client, path, body, words):
    reply = client.post(f"/v1/{path}", json=body)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"


def test_what_is_not_json_or_not_there_is_refused_in_the_usual_form(client):
    assert (
        client.post("/v1/embeddings", content=b"\xff").json()["error"]["message"]
        == "The request is not JSON."
    )
    assert client.get("/v1/elsewhere").json()["error"]["message"] == "Not Found"
    assert client.get("/v1/embeddings").status_code == 405


def test_documents_are_ranked_for_a_query(client):
    documents = ["The cat sat on the mat.", {"text": "The rent is due on the third day."}, "Cheese is dear."]
    body = {"query": "When must the rent be paid?", "documents": documents, "top_n": 2}
    reply = client.post("/v1/rerank", json=body).json()
    best, _ = reply["results"]
    assert best["index"] == 1
    assert best["document"]["text"] == documents[1]["text"]
    assert client.post("/v1/rerank", json={**body, "documents": [5]}).status_code == 400


def test_a_salt_keeps_what_is_remembered_apart_and_usage_tells_it(client):
    text = "The lessee pays the rent. " * 20
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 2}
    cached = [
        client.post("/v1/chat/completions", json={**body, "cache_salt": salt}).json()["usage"]
        for salt in ("one", "one", "two")
    ]
    told = [usage["prompt_tokens_details"]["cached_tokens"] for usage in cached]
    assert told == [0, cached[0]["prompt_tokens"] - 1, 0]
    assert client.post("/v1/chat/completions", json={**body, "cache_salt": 5}).status_code == 400


def test_a_client_says_how_a_text_begins_and_what_it_may_cite(remote, client):
    """The model is random: it would begin with anything."""
    begins = ("Yes:", "No.", "Undecided.")
    assert "".join(remote.stream(ASK, Options(max_tokens=9, openings=begins), never)).startswith(begins)
    body = {"messages": [{"role": "user", "content": "Is it due?"}], "max_tokens": 2}
    wrong = [{"openings": value} for value in (["Yes", "Yes."], [""], ["[1]"], ["long" * 100], 5)]
    for each in [*wrong, {"citation_ids": ["7" * 65]}]:
        assert client.post("/v1/chat/completions", json=body | each).status_code == 400


def test_sections_that_cannot_be_are_refused(client):
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    assert client.post("/v1/chat/completions", json={**body, "section_ends": [[2, 5]]}).status_code == 200
    for wrong in ([], [[], []], [[6]], [[0]], [["2"]], [2], [[True]], {"0": [2]}, 7):
        refused = client.post("/v1/chat/completions", json={**body, "section_ends": wrong}).status_code
        assert refused == (200 if wrong == [] else 400)


def test_metrics_count_what_was_done(client):
    client.post("/v1/chat/completions", json={**ENDLESS, "max_tokens": 3, "stream": False})
    lines = client.get("/metrics").text.splitlines()
    values = dict(line.split() for line in lines if not line.startswith("#"))
    assert int(values["pincite_generator_written_tokens_total"]) >= 3
    assert int(values["pincite_generator_cache_bytes"]) > 0
    assert "# TYPE pincite_generator_running gauge" in lines


def test_health_needs_no_key(url):
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}


def test_a_client_that_leaves_frees_the_model(client, remote):
    with client.stream("POST", "/v1/chat/completions", json=ENDLESS) as response:
        next(response.iter_lines())
    begun = time.monotonic()
    assert "".join(remote.stream(ASK, Options(max_tokens=3), never))
    # On a busy machine even this takes seconds; four thousand tokens take minutes there.
    assert time.monotonic() - begun < 40


def test_a_client_that_leaves_before_the_first_token_frees_its_place(client, url):
    """The request is sent whole and the connection closed without reading a byte of the reply."""
    for stream in (True, False):
        body = {**ENDLESS, "messages": [{"role": "user", "content": "rent " * 20}], "stream": stream}
        request = client.build_request("POST", "/v1/chat/completions", json=body)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        with socket.create_connection((request.url.host, request.url.port), timeout=10) as connection:
            connection.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
    wait_for(
        lambda: client.post("/v1/chat/completions", json={**ENDLESS, "max_tokens": 1}).status_code == 200
    )


def test_a_full_queue_says_when_to_come_back(client, url):
    """Two places: one generation at work, one waiting."""
    enough = threading.Event()
    begun = []

    def occupy():
        generator = open_generator(GeneratorConfig(url=url, api_key=KEY))
        begun.append(generator.window)
        with pytest.raises(Cancelled):
            list(generator.stream(ASK, Options(max_tokens=3000), enough.is_set))

    threads = [threading.Thread(target=occupy) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(begun) == 2)
    time.sleep(0.5)
    busy = open_generator(GeneratorConfig(url=url, api_key=KEY))
    with pytest.raises(Unavailable, match="Too many requests") as caught:
        list(busy.stream(ASK, Options(max_tokens=1), never))
    assert caught.value.retry_after == 5
    enough.set()
    for thread in threads:
        thread.join()
    wait_for(
        lambda: client.post("/v1/chat/completions", json={**ENDLESS, "max_tokens": 1}).status_code == 200
    )


def test_without_a_key_the_server_stays_on_this_machine(monkeypatch):
    monkeypatch.delenv("PINCITE_INFERENCE_API_KEY", raising=False)
    with pytest.raises(SystemExit, match="needs a key"):
        main(["--host", "0.0.0.0"])


def test_the_flags_give_each_tier_of_the_cache_its_size(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PINCITE_INFERENCE_DISK_CACHE_KEY", "a secret")
    sizes = ["--cache-mb", "3", "--host-cache-mb", "5", "--disk-cache-mb", "7"]
    flags = [*sizes, "--disk-cache-dir", str(tmp_path), "--generator", str(tiny), "--device", "cpu"]
    config = _config(_parser().parse_args(flags)).generator
    told = (config.cache_bytes, config.host_cache_bytes, config.disk_cache_bytes, len(config.disk_cache_key))
    assert told == (3 << 20, 5 << 20, 7 << 20, 32)
    generator = open_generator(config)
    long = [Message("user", "The lessee pays the rent. " * 30)]
    assert "".join(generator.stream(long, Options(max_tokens=1, scope="a matter"), never))
    wait_for(lambda: list(tmp_path.glob("*/*.safetensors")))
    assert _config(_parser().parse_args([])).generator.disk_cache_bytes == 0
