"""The remote clients against servers that answer well, badly, late or not at all."""

import socket
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from inference.embedder import EmbedderConfig, open_embedder
from inference.errors import BadReply, Cancelled, ContextTooLong, InferenceError, Unavailable
from inference.generator import GeneratorConfig, Message, Options, open_generator
from tests.inference.conftest import serving, wait_for

ASK = [Message("user", "When is the rent due?")]
END = 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def never():
    return False


def answer(url, options=None, **config):
    generator = open_generator(GeneratorConfig(url=url, model="m", **config))
    return "".join(generator.stream(ASK, options or Options(), never))


@contextmanager
def replying(reply):
    """A server that gives one reply to everything."""

    async def endpoint(request):
        return reply if isinstance(reply, Response) else reply()

    with serving(Starlette(routes=[Route("/{path:path}", endpoint, methods=["GET", "POST"])])) as url:
        yield url


def events(*lines: str | bytes):
    return lambda: StreamingResponse(iter(lines), media_type="text/event-stream")


def piece(text):
    return (
        f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{text}"}}, "finish_reason": null}}]}}\n\n'
    )


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_stream_of_other_servers_is_understood():
    """Comments, a first event with the role only, a last one with the usage only, and \\r\\n."""
    first = 'data: {"choices": [{"delta": {"role": "assistant", "content": null}}]}\r\n\r\n'
    usage = 'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n'
    with replying(events(": ping\n\n", first, piece("Am "), "event: x\n" + piece("1. §"), END, usage)) as url:
        assert answer(url + "/v1/") == "Am 1. §"


def test_characters_split_between_packets_arrive_whole():
    whole = (piece("Kündigung 你好 ⚖️") + END).encode()
    with replying(events(*[whole[i : i + 1] for i in range(len(whole))])) as url:
        assert answer(url) == "Kündigung 你好 ⚖️"


def test_a_server_that_is_down_is_unavailable():
    url = closed_port()
    with pytest.raises(Unavailable, match="cannot be reached"):
        answer(url)
    with pytest.raises(Unavailable, match="cannot be reached"):
        open_embedder(EmbedderConfig(url=url, model="m")).embed_query("rent")
    with pytest.raises(Unavailable):
        _ = open_generator(GeneratorConfig(url=url)).window


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, '{"error": {"message": "no such key"}}', InferenceError, "refused the API key.*no such key"),
        (403, "", InferenceError, "refused the API key"),
        (404, '{"error": {"message": "unknown model"}}', InferenceError, "unknown model"),
        (400, '{"error": {"code": "context_length_exceeded"}}', ContextTooLong, "window"),
        (400, '{"message": "This model\'s maximum context length is 9 tokens"}', ContextTooLong, "9 tokens"),
        (500, "<html>oops</html>", Unavailable, "busy or failing"),
        (503, '{"error": "loading"}', Unavailable, "loading"),
    ],
)
def test_each_status_has_its_error(status, body, kind, words):
    with replying(PlainTextResponse(body, status)) as url:
        for call in (
            answer,
            lambda url: open_embedder(EmbedderConfig(url=url, model="m")).embed_query("rent"),
        ):
            with pytest.raises(kind, match=words) as caught:
                call(url)
            assert type(caught.value) is kind


def embedded(url, api_key=""):
    return open_embedder(EmbedderConfig(url, "m", api_key)).embed_query("rent")


@pytest.mark.parametrize("call", [answer, embedded])
@pytest.mark.parametrize("status", [401, 400, 500])
def test_an_error_tells_neither_the_key_nor_the_password_in_the_address(call, status):
    """Some servers repeat the key that they refuse; errors are shown to people and stored."""
    with replying(JSONResponse({"error": {"message": "Incorrect key: planted-key"}}, status)) as url:
        with pytest.raises(InferenceError, match="Incorrect key: …") as caught:
            call(url, api_key="planted-key")
        assert "planted" not in str(caught.value)
    for address in (url, closed_port()):
        with pytest.raises(InferenceError) as caught:
            call(address.replace("://", "://planted:planted-word@"))
        assert "planted" not in str(caught.value)


def test_a_busy_server_says_when_to_come_back():
    with replying(JSONResponse({}, 429, {"Retry-After": "7"})) as url, pytest.raises(Unavailable) as caught:
        answer(url)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    "lines",
    [
        ("data: not json\n\n",),
        ("data: [1, 2]\n\n",),
        ('data: {"choices": "none"}\n\n',),
        ('data: {"choices": [{"delta": "text"}]}\n\n',),
        ('data: {"choices": [1]}\n\n',),
        ("data: {}\n\n",),
    ],
)
def test_garbage_in_the_stream_is_a_bad_reply(lines):
    with replying(events(*lines)) as url, pytest.raises(BadReply):
        answer(url)


def test_a_reply_that_breaks_off_is_not_taken_for_an_answer():
    with replying(events(piece("Half an"))) as url, pytest.raises(Unavailable, match="broke off"):
        answer(url)


def test_a_page_instead_of_a_stream_is_not_taken_for_an_empty_answer():
    with (
        replying(PlainTextResponse("<html>Welcome</html>")) as url,
        pytest.raises(Unavailable, match="broke off"),
    ):
        answer(url)


def test_an_error_in_the_midst_of_a_stream_is_raised():
    broken = 'data: {"error": {"message": "out of memory", "code": 500}}\n\n'
    with replying(events(piece("Half "), broken)) as url, pytest.raises(Unavailable, match="out of memory"):
        answer(url)


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}],
        [{"index": 0, "embedding": ["a"]}, {"index": 1, "embedding": ["b"]}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}],
    ],
)
def test_garbage_for_vectors_is_a_bad_reply(data):
    with replying(JSONResponse({"data": data})) as url, pytest.raises(BadReply):
        open_embedder(EmbedderConfig(url=url, model="m")).embed_passages(["a", "b"])


def test_vectors_are_put_in_order_and_normalised():
    data = [{"index": 1, "embedding": [0, 5]}, {"index": 0, "embedding": [3, 4]}]
    with replying(JSONResponse({"data": data})) as url:
        vectors = open_embedder(EmbedderConfig(url=url, model="m")).embed_passages(["a", "b"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, 1]], atol=1e-6)
    assert vectors.dtype == np.float32


def test_the_server_tells_its_model_and_window():
    entries = [{"id": "e", "task": "embed"}, {"id": "long", "max_model_len": 131072}]
    with replying(JSONResponse({"data": entries})) as url:
        generator = open_generator(GeneratorConfig(url=url))
        assert (generator.name, generator.window) == ("long", 131072)
        assert open_embedder(EmbedderConfig(url=url)).name == "e"
        assert open_generator(GeneratorConfig(url=url, window=4096)).window == 4096
    with replying(PlainTextResponse("", 404)) as url:
        assert open_generator(GeneratorConfig(url=url, model="m")).window == 8192


class Silent:
    """A server that says nothing for ever, and knows when its client has hung up."""

    def __init__(self, first: str = "") -> None:
        self.first = first
        self.asked = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        if self.first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": self.first.encode(), "more_body": True})
        self.asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


@pytest.mark.parametrize("first", ["", piece("Once")])
def test_cancelling_hangs_up_even_while_the_server_is_silent(first):
    silent = Silent(first)
    with serving(silent) as url:
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            list(
                open_generator(GeneratorConfig(url=url, model="m")).stream(
                    ASK, Options(), silent.asked.is_set
                )
            )
        wait_for(silent.left.is_set)
        assert time.monotonic() - begun < 3


def test_closing_the_iterator_hangs_up():
    silent = Silent(piece("Once"))
    with serving(silent) as url:
        stream = open_generator(GeneratorConfig(url=url, model="m")).stream(ASK, Options(), never)
        assert next(stream) == "Once"
        stream.close()
        wait_for(silent.left.is_set)


def test_a_silent_server_is_given_up_at_the_deadline_or_the_timeout():
    silent = Silent()
    with serving(silent) as url:
        with pytest.raises(Unavailable, match="longer than"):
            answer(url, Options(deadline_seconds=0.3))
        with pytest.raises(Unavailable, match="in time"):
            answer(url, timeout_seconds=0.3)
        with pytest.raises(Unavailable, match="in time"):
            open_embedder(EmbedderConfig(url=url, model="m", timeout_seconds=0.3)).embed_query("rent")


@pytest.mark.parametrize(
    "text",
    [
        "The lessee shall pay the rent on the first day of each month, without deduction or set-off.",
        "Die Mieterin zahlt die Miete am dritten Werktag eines Monats im Voraus; § 556b BGB bleibt gültig.",
        "合同当事人应当按照约定全面履行自己的义务。",
        "Case No. 2019-CV-004512; total: EUR 1,234,567.89 (due 2024-01-31).\n\n",
        "Покупатель обязан оплатить товар.",
    ],
)
def test_the_estimate_of_tokens_rather_errs_upwards(generator, text):
    """SmolLM2's tokenizer is a hard judge: it was made for English, and splits digits."""
    estimate = open_generator(GeneratorConfig(url="http://127.0.0.1:9", model="m")).count_tokens(text)
    real = generator.count_tokens(text)
    assert 0.9 * real <= estimate <= 2.5 * real


def test_the_key_is_not_shown_when_a_config_is_printed():
    assert "secret" not in repr(GeneratorConfig(api_key="secret")) + repr(EmbedderConfig(api_key="secret"))
