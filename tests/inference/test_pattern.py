"""What other servers are sent as a pattern lets through what our own rule does."""

import re
from random import Random

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from inference.generator import GeneratorConfig, Message, Options, open_generator
from inference.generator.form import Form, Pieces
from inference.generator.pattern import pattern
from tests.inference.conftest import serving
from tests.inference.test_remote import END, piece

IDS = ["1", "2", "12", "21", "S1", "S.1", "a+b"]
OPENINGS = [(), ("Yes.", "No."), ("(a) ", "It is.")]
WORDS = ["Rent is due", " ", "\n", "§ 你 ]", "1, 2", "Yes."]
BROKEN = ["[", "[1, ", "[]", "[Sx1]", "[1 2]", "[,1]", "[1,]"]
BRACKET = re.compile(r"\[([^\]]*)\]")


@pytest.fixture(scope="module")
def pieces(smol):
    return Pieces(smol.tokenizer, frozenset({smol.tokenizer.eos_token_id}))


def lets_through(form: Form, tokenizer, text: str) -> bool:
    """The whole text, and its end."""
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        if not form.allows(token):
            return False
        form.add(token)
    return form.allows(tokenizer.eos_token_id)


def has_twice(text: str) -> bool:
    """Whether an id stands twice in one bracket."""
    lists = [[name.strip(" ") for name in inside.split(",")] for inside in BRACKET.findall(text)]
    return any(len(set(names)) < len(names) for names in lists)


def text_of(draw: Random, ids: list[str]) -> str:
    """Words and citations; some have an id twice, are written oddly, or are broken."""
    parts = []
    for _ in range(draw.randrange(5)):
        often = draw.random()
        names = draw.choices(ids, k=3) if often < 0.1 else draw.sample(ids, draw.randint(1, min(3, len(ids))))
        between = draw.choice([", ", ",", ",   ", " ,", ",\n", "; "] if often < 0.3 else [", ", ",", ",   "])
        parts += [draw.choice(BROKEN if often > 0.95 else WORDS), f"[{between.join(names)}]"]
    return "".join(parts)


def test_the_pattern_lets_through_what_our_own_rule_does(smol, pieces):
    draw, through = Random(7), 0  # noqa: S311 - no secret
    for _ in range(3000):
        ids, openings = draw.sample(IDS, draw.randint(1, 4)), draw.choice(OPENINGS)
        text = draw.choice([*openings, ""]) + text_of(draw, ids)
        ours = lets_through(Form(pieces, ids, openings), smol.tokenizer, text)
        theirs = re.fullmatch(pattern(ids, openings), text) is not None
        assert ours == (theirs and not has_twice(text)), text
        through += ours
    assert 1000 < through < 2000  # both ways are well tried


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Due [1].", True),
        ("Due\n[1, 12] [12].", True),
        ("Due [12,1", False),
        ("Due [2]", False),
        ("[sic]", False),
    ],
)
def test_some_texts_that_people_can_read(text, good):
    assert bool(re.fullmatch(pattern(("1", "12")), text)) is good


FORM = pattern(("1", "12"), ("Yes.", "No."))


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("", {"citation_ids": ["1", "12"], "openings": ["Yes.", "No."]}),
        ("vllm", {"structured_outputs": {"regex": FORM}}),
        ("vllm-0.11", {"guided_regex": FORM}),
        ("sglang", {"regex": FORM}),
    ],
)
def test_each_dialect_has_its_own_field_and_nothing_that_a_server_might_refuse(dialect, fields):
    sent: list[dict] = []

    async def endpoint(request: Request) -> Response:
        sent.append(await request.json())
        return PlainTextResponse(piece("Yes.") + END, media_type="text/event-stream")

    asked = [Options(), Options(ids=("1", "12"), openings=("Yes.", "No."))]
    with serving(Starlette(routes=[Route("/v1/chat/completions", endpoint, methods=["POST"])])) as url:
        generator = open_generator(GeneratorConfig(url=url, model="m", dialect=dialect))
        for options in asked:
            list(generator.stream([Message("user", "Is rent due?")], options, lambda: False))
    plain, formed = sent
    assert {name: value for name, value in formed.items() if name not in plain} == fields
