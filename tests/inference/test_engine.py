"""The engine against the library's own generate(), token for token, in fp32."""

import time
from contextlib import nullcontext, suppress
from copy import deepcopy

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from inference.errors import InferenceError, Unavailable
from inference.generator import Message
from inference.generator.disk import Place
from inference.generator.engine import ROOM, Engine, Limits
from inference.generator.memory import Memory
from inference.generator.reader import can_be_packed
from inference.generator.request import Request
from inference.generator.sampling import Sampling, pick
from inference.generator.text import Script
from tests.inference.conftest import CACHE, wait_for

GREEDY = Sampling()
SMALL = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SLIDING = {"head_dim": 16, "sliding_window": 20}
FAMILIES = [
    LlamaConfig(**SMALL),
    Qwen2Config(**SMALL),
    Qwen3Config(**SMALL, head_dim=16),
    MistralConfig(**SMALL, sliding_window=20),
    GemmaConfig(**SMALL, head_dim=16),
    Gemma2Config(**SMALL, **SLIDING),
    Gemma3TextConfig(**SMALL, **SLIDING),
    Phi3Config(**SMALL),
]


def pair(config, limits=None):
    """An engine, and the same model as the library runs it."""
    torch.manual_seed(3)
    plain = AutoModelForCausalLM.from_config(deepcopy(config), attn_implementation="eager").eval()
    ours = AutoModelForCausalLM.from_config(deepcopy(config)).eval()
    ours.load_state_dict(plain.state_dict())
    return Engine(ours, frozenset(), limits or Limits(alone=16, beside=8)), plain


def reference(model, ids, count):
    row = torch.tensor([ids])
    model.generation_config.eos_token_id = None
    out = model.generate(row, attention_mask=torch.ones_like(row), max_new_tokens=count, do_sample=False)
    return out[0, len(ids) :].tolist()


def prompt(length, seed=1):
    return torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def ask(engine, ids, count, scope=""):
    request = Request(ids, count, GREEDY, scope)
    engine.submit(request)
    return request


@pytest.fixture(scope="module")
def llama():
    return pair(FAMILIES[0])


def test_the_default_model_writes_what_the_library_writes(smol):
    from inference.generator import weights

    ours = weights.load("", CACHE, torch.device("cpu"), torch.float32)
    script = Script(smol.tokenizer)
    engine = Engine(ours.model, frozenset(), Limits(alone=64))
    document = "The lessee pays the rent of 900 euros. The lessor repairs the roof. " * 3
    for question, cached in (("Who pays the rent?", 0), ("And who repairs the roof?", 45)):
        ids = script.prompt([Message("user", f"{document}\n\n{question}")])
        request = ask(engine, ids, 8)
        assert request.tokens() == reference(smol.model, ids, 8)
        assert request.cached >= cached


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_every_family_writes_what_the_library_writes(config):
    """Cold in chunks, then another question over the same document, then the same one, side by side."""
    engine, plain = pair(config)
    assert can_be_packed(plain)
    document = prompt(70)
    asked = [document + prompt(9, seed) for seed in (2, 3, 2)]
    expected = [reference(plain, ids, 12) for ids in asked]
    first = ask(engine, asked[0], 12)
    assert (first.tokens(), first.cached) == (expected[0], 0)
    others = [ask(engine, ids, 12) for ids in asked[1:]]
    assert [request.tokens() for request in others] == expected[1:]
    assert [request.cached for request in others] == [70, 78]


def test_logits_after_the_cache_are_those_without_it(llama):
    """Not bit by bit: a product of another shape sums in another order."""
    from inference.generator.reader import Feed
    from inference.generator.segment import State

    engine, plain = llama
    ids = prompt(120, seed=9)
    state = State(engine.reader.shape, "", None, [])
    state.make_room(100)
    engine.reader.step([Feed(state, ids[:100], 0)], lambda: None)
    state.seal(20)
    [ours] = engine.reader.step([Feed(state, ids[100:], 20)], lambda: None)
    with torch.no_grad():
        theirs = plain(torch.tensor([ids])).logits[0, 100:]
    assert (ours - theirs).abs().max() < 1e-5


def test_questions_asked_at_once_read_their_document_once():
    engine, plain = pair(FAMILIES[0])
    document = prompt(150)
    asked = [document + prompt(5 + n, seed=20 + n) for n in range(6)]
    requests = [ask(engine, ids, 12) for ids in asked]
    elsewhere = ask(engine, asked[0], 12, "another scope")
    assert [request.tokens() for request in requests] == [reference(plain, ids, 12) for ids in asked]
    assert [request.cached for request in requests] == [0, *[150] * 5]
    assert (elsewhere.tokens(), elsewhere.cached) == (reference(plain, asked[0], 12), 0)


def test_eight_answers_side_by_side_are_those_written_alone(llama):
    engine, plain = llama
    asked = [prompt(20 + 13 * i, seed=20 + i) for i in range(8)]
    running = [ask(engine, ids, 25) for ids in asked]
    assert [request.tokens() for request in running] == [reference(plain, ids, 25) for ids in asked]


def test_a_conversation_goes_on_from_the_answer(llama):
    engine, plain = llama
    ids = prompt(40, seed=50)
    answer = ask(engine, ids, 10).tokens()
    wait_for(lambda: engine.is_idle)
    more = [*ids, *answer, *prompt(5, seed=51)]
    request = ask(engine, more, 10)
    assert request.tokens() == reference(plain, more, 10)
    assert request.cached == len(ids) + len(answer) - 1


def test_an_answer_longer_than_its_first_room_goes_on(llama):
    engine, plain = llama
    ids = prompt(30, seed=55)
    assert ask(engine, ids, ROOM + 60).tokens() == reference(plain, ids, ROOM + 60)


def test_one_scope_is_not_served_what_another_has_read(llama):
    engine, _ = llama
    ids = prompt(60, seed=60)
    cached = {}
    for scope in ("a", "b", "a"):
        request = ask(engine, ids, 3, scope)
        request.tokens()
        cached.setdefault(scope, []).append(request.cached)
    assert cached == {"a": [0, 59], "b": [0]}


def test_what_is_asked_already_when_its_scope_is_forgotten_is_not_remembered():
    """One prompt is in the midst of being read, another waits for it."""
    engine, _ = pair(FAMILIES[0], Limits(running=1, alone=16))
    asked = [ask(engine, prompt(1000, seed=60), 3, "a"), ask(engine, prompt(40, seed=61), 3, "a")]
    wait_for(lambda: engine._running)
    engine.forget("a")
    assert [len(request.tokens()) for request in asked] == [3, 3]
    wait_for(lambda: engine.is_idle)
    assert engine.memory.bytes == 0
    later = [ask(engine, prompt(40, seed=61), 3, "a") for _ in range(2)]
    assert [len(request.tokens()) for request in later] == [3, 3]
    assert [request.cached for request in later] == [0, 39]


def test_an_end_token_ends_the_text(llama):
    engine, plain = llama
    ids = prompt(15, seed=70)
    whole = reference(plain, ids, 10)
    short = Engine(engine.reader.model, frozenset({whole[4]}), Limits())
    assert ask(short, ids, 10).tokens() == whole[: whole.index(whole[4])]


def test_a_long_read_does_not_stall_an_answer():
    """Twenty tokens are written while 1,500 are being read; the reader beside comes later."""
    engine, _ = pair(FAMILIES[0], Limits(alone=64, beside=16))
    writing = ask(engine, prompt(10), 60)
    writing.get(10)
    reading = ask(engine, prompt(1500, seed=2), 1)
    for _ in range(40):
        writing.get(10)
    assert reading._tokens.empty()
    writing.close()
    assert len(reading.tokens()) == 1


def test_cancelling_frees_the_engine_at_once(smol):
    """In the midst of a chunk that takes much longer: a layer of the model is all one waits for."""
    engine = Engine(smol_copy(), frozenset(), Limits(alone=512))
    ids = Script(smol.tokenizer).prompt([Message("user", "The lessee pays the rent. " * 200)])
    request = ask(engine, ids, 5)
    wait_for(lambda: engine._running)
    time.sleep(0.05)
    begun = time.monotonic()
    request.close()
    wait_for(lambda: engine.is_idle)
    took = time.monotonic() - begun
    whole = time.monotonic()
    ask(engine, ids[:512], 1).tokens()
    assert took < (time.monotonic() - whole) / 3
    assert engine.memory.prefixes.pins == 0


def smol_copy():
    from inference.generator import weights

    return weights.load("", CACHE, torch.device("cpu"), torch.float32).model


def test_a_request_past_its_deadline_is_not_worked_on(llama):
    engine, _ = llama
    late = Request(prompt(30, seed=80), 10, GREEDY, deadline=time.monotonic() - 1)
    engine.submit(late)
    assert late.tokens() == []


def test_a_model_that_fails_tells_it_and_serves_the_next(llama):
    """A token beyond the vocabulary makes the embedding fail."""
    engine, plain = llama
    with pytest.raises(InferenceError, match="model failed"):
        ask(engine, [1, 2, 999], 5).tokens()
    ids = prompt(12, seed=90)
    assert ask(engine, ids, 5).tokens() == reference(plain, ids, 5)


class Broken(Memory):
    """Fails once at what it is told to fail at."""

    fails = ""

    def open(self, scope, ids, sections=()):
        self._fail("open")
        return super().open(scope, ids, sections)

    def forget(self, scope):
        self._fail("forget")
        super().forget(scope)

    def _add(self, scope, tokens, segment, pinned):
        self._fail("keep")
        return super()._add(scope, tokens, segment, pinned)

    def _fail(self, what):
        if self.fails == what:
            self.fails = ""
            raise RuntimeError("broken")


@pytest.mark.parametrize("what", ["open", "forget", "keep"])
def test_a_memory_that_fails_does_not_end_the_engine(what):
    engine, plain = pair(FAMILIES[0])
    engine.memory = Broken(engine.reader.shape, 1 << 20, 0)
    first = ask(engine, prompt(20), 4)
    assert len(first.tokens()) == 4
    wait_for(lambda: engine.is_idle)
    engine.memory.fails = what
    with pytest.raises(Unavailable, match="broken") if what == "forget" else nullcontext():
        engine.forget("somebody's")
    with suppress(InferenceError):
        ask(engine, prompt(20, 2), 4).get(20)
    ids = prompt(20, 3)
    request = ask(engine, ids, 4)
    assert [request.get(20) for _ in range(4)] == reference(plain, ids, 4)
    assert engine.memory.fails == ""


def test_what_is_forgotten_while_it_is_read_is_gone_when_that_returns(tmp_path):
    """And an answer of somebody else goes on; a file that cannot go is told to who asked for it."""
    engine, plain = pair(FAMILIES[0])
    engine = Engine(engine.reader.model, frozenset(), place=Place(tmp_path, 1 << 30, "model"))
    text = prompt(300)
    ask(engine, text, 0, scope="a").tokens()
    wait_for(lambda: any(tmp_path.glob("*/*.safetensors")))
    [home] = tmp_path.iterdir()
    other = ask(engine, prompt(20), 200, scope="b")
    assert other.get(20) is not None
    engine.forget("a")
    assert not home.exists()
    home.write_text("no folder")
    with pytest.raises(Unavailable, match="could not be forgotten"):
        engine.forget("a")
    assert len(other.tokens()) == 199
    home.unlink()
    again = ask(engine, text, 1, scope="a")
    assert (again.tokens(), again.cached) == (reference(plain, text, 1), 0)


def test_a_request_beyond_the_queue_is_told_to_come_back():
    engine, _ = pair(FAMILIES[0], Limits(running=1, waiting=2))
    accepted = [ask(engine, prompt(8), 400)]
    wait_for(lambda: engine._running)
    accepted += [ask(engine, prompt(8), 1) for _ in range(2)]
    with pytest.raises(Unavailable) as caught:
        ask(engine, prompt(8), 1)
    assert caught.value.retry_after == 5
    accepted[0].close()
    assert all(len(request.tokens()) == 1 for request in accepted[1:])


def test_a_penalty_makes_a_written_token_less_likely():
    logits = torch.tensor([2.0, 3.0, -1.0])
    assert pick(logits, GREEDY, []) == 1
    assert pick(logits, Sampling(repetition_penalty=2.0), [1]) == 0
    assert logits.tolist() == [2.0, 3.0, -1.0]


def test_temperature_draws_in_proportion():
    torch.manual_seed(1)
    logits = torch.log(torch.tensor([0.7, 0.3]))
    drawn = [pick(logits, Sampling(temperature=1.0), []) for _ in range(1000)]
    assert 230 < sum(drawn) < 370
    cold = [pick(logits, Sampling(temperature=0.05), []) for _ in range(200)]
    assert sum(cold) == 0
