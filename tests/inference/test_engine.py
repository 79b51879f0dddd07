"""The engine against the library's own generate(), token for token."""

import pytest
import torch

from inference.errors import Cancelled
from inference.generator import Message
from inference.generator.attention import use_decode_attention
from inference.generator.engine import Engine
from inference.generator.sampling import Sampling, pick
from inference.generator.text import Script
from inference.generator.weights import load

GREEDY = Sampling()
QUESTION = [Message("user", "Explain in three sentences what a lease is.")]
LONG = [Message("user", "The lessee pays the rent. The lessor repairs the roof. " * 100)]


@pytest.fixture
def ids(smol):
    return Script(smol.tokenizer).prompt(QUESTION)


@pytest.fixture
def engine(smol):
    return Engine(smol.model, frozenset({smol.tokenizer.eos_token_id}))


def never():
    pass


def reference(model, ids, count):
    row = torch.tensor([ids])
    out = model.generate(row, attention_mask=torch.ones_like(row), max_new_tokens=count, do_sample=False)
    return out[0, len(ids) :].tolist()


def test_greedy_decoding_equals_the_library_token_for_token(smol, engine, ids):
    ours = list(engine.generate(ids, 40, GREEDY, never))
    theirs = [token for token in reference(smol.model, ids, 40) if token not in engine.ends]
    assert len(ours) > 20
    assert ours == theirs


def test_a_prompt_in_several_chunks_gives_the_same_tokens(smol, engine):
    long = Script(smol.tokenizer).prompt(LONG)
    assert len(long) > 2 * 512
    assert list(engine.generate(long, 12, GREEDY, never)) == reference(smol.model, long, 12)


def test_the_decode_attention_gives_the_tokens_of_the_library(smol, tiny, ids):
    """It is meant for bf16; in fp32 the comparison is exact. The cache grows past its spare rows."""
    for folder, prompt in ((tiny, ids), (tiny, ids * 10)):
        plain = load(str(folder), folder, torch.device("cpu"), torch.float32)
        fast = load(str(folder), folder, torch.device("cpu"), torch.float32)
        use_decode_attention(fast.model)
        assert fast.model.config._attn_implementation == "pincite_decode"
        engine = Engine(fast.model, frozenset())
        plain.model.generation_config.eos_token_id = None
        assert list(engine.generate(prompt, 300, GREEDY, never)) == reference(plain.model, prompt, 300)


def test_an_end_token_ends_the_text(smol, ids):
    whole = list(Engine(smol.model, frozenset()).generate(ids, 10, GREEDY, never))
    cut = list(Engine(smol.model, frozenset({whole[4]})).generate(ids, 10, GREEDY, never))
    assert cut == whole[: whole.index(whole[4])]


def test_check_is_asked_before_every_step_and_chunk(smol, engine):
    long = Script(smol.tokenizer).prompt(LONG)
    steps = []
    list(engine.generate(long, 5, GREEDY, lambda: steps.append(None)))
    assert len(steps) == -(-len(long) // 512) + 4


def test_check_stops_between_two_chunks_of_the_prompt(smol, engine):
    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        list(engine.generate(Script(smol.tokenizer).prompt(LONG), 5, GREEDY, stop))


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
