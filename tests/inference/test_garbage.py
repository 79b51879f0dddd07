"""A server that turns bad in the middle of a reply: a typed error, or text and numbers that can be stored."""

import json

import pytest
from starlette.responses import StreamingResponse

from inference.errors import BadReply, Unavailable
from inference.generator import GeneratorConfig, Options, open_generator
from tests.inference.conftest import serving
from tests.inference.test_remote import ASK, END, Silent, answer, events, never, piece, replying


def event(**fields):
    return f"data: {json.dumps(fields)}\n\n"


@pytest.mark.parametrize(
    "bad",
    [
        "data: not json\n\n",
        "data: [1, 2]\n\n",
        b"data: {\xff\xfe}\n\n",
        event(choices=[{"delta": {"content": {"text": "an object"}}}]),
        event(choices=[{"delta": {"content": 5}}]),
        event(error=None),
    ],
)
def test_garbage_after_good_text_is_a_bad_reply(bad):
    with replying(events(piece("The rent "), bad, piece("is due."), END)) as url:
        stream = open_generator(GeneratorConfig(url=url, model="m")).stream(ASK, Options(), never)
        assert next(stream) == "The rent "
        with pytest.raises(BadReply):
            list(stream)


def test_a_line_without_end_is_given_up_while_it_is_read():
    """A megabyte of it, not all that would come until the deadline."""
    sent = []

    def endless():
        yield piece("The rent ")
        while len(sent) < 1000:
            sent.append(1)
            yield "x" * (1 << 16)

    with (
        replying(lambda: StreamingResponse(endless(), media_type="text/event-stream")) as url,
        pytest.raises(BadReply, match="without end"),
    ):
        answer(url)
    assert len(sent) < 1000


def test_a_server_that_falls_silent_in_the_middle_is_given_up():
    with serving(Silent(piece("The rent "))) as url:
        for config, options, words in (
            ({"timeout_seconds": 0.3}, Options(), "in time"),
            ({}, Options(deadline_seconds=0.3), "longer than"),
        ):
            stream = open_generator(GeneratorConfig(url=url, model="m", **config)).stream(ASK, options, never)
            assert next(stream) == "The rent "
            with pytest.raises(Unavailable, match=words):
                list(stream)


def test_what_no_database_takes_is_replaced():
    text = event(choices=[{"delta": {"content": "The \x00rent\ud83d is due ⚖️."}}])
    with replying(events(text, END)) as url:
        assert answer(url) == "The \ufffdrent\ufffd is due ⚖️."


def test_numbers_that_cannot_be_are_not_believed():
    usage = {"prompt_tokens": -1, "completion_tokens": 10**30, "prompt_tokens_details": {"cached_tokens": 7}}
    with replying(events(piece("Due."), event(choices=[], usage=usage), END)) as url:
        stream = open_generator(GeneratorConfig(url=url, model="m")).stream(ASK, Options(), never)
        assert "".join(stream) == "Due."
    told = stream.usage
    assert (told.prompt_tokens, told.cached_tokens, told.written_tokens) == (None, 7, None)


def test_an_error_that_is_none_is_none():
    with replying(events(event(error=None, choices=[{"delta": {"content": "Due."}}]), END)) as url:
        assert answer(url) == "Due."
