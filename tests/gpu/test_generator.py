"""The engine on a CUDA device."""

import pytest
import torch

from inference.errors import ModelMissing
from inference.generator import weights
from inference.generator.engine import Engine, Limits
from inference.generator.request import Request
from inference.generator.sampling import Sampling
from tests.inference.conftest import CACHE
from tests.inference.test_engine import FAMILIES, ask, prompt, reference

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def pair(config, limits, dtype=torch.float32):
    from copy import deepcopy

    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    plain = AutoModelForCausalLM.from_config(deepcopy(config)).to("cuda", dtype).eval()
    ours = AutoModelForCausalLM.from_config(deepcopy(config)).to("cuda", dtype).eval()
    ours.load_state_dict(plain.state_dict())
    return Engine(ours, frozenset(), limits), plain


def expected(plain, ids, count):
    row = torch.tensor([ids], device="cuda")
    plain.generation_config.eos_token_id = None
    out = plain.generate(row, attention_mask=torch.ones_like(row), max_new_tokens=count, do_sample=False)
    return out[0, len(ids) :].tolist()


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_every_family_writes_what_the_library_writes(config):
    engine, plain = pair(config, Limits(alone=64, beside=16))
    document = prompt(200)
    asked = [document + prompt(9, seed) for seed in (2, 3, 2)]
    answers = [ask(engine, ids, 12).tokens() for ids in asked]
    assert answers == [expected(plain, ids, 12) for ids in asked]


def test_what_leaves_the_device_comes_back_from_pinned_memory():
    engine, plain = pair(FAMILIES[0], Limits())
    token = engine.reader.shape.token_bytes
    small = Engine(engine.reader.model, frozenset(), Limits(cache_bytes=400 * token, host_bytes=4000 * token))
    documents = [prompt(300, seed) for seed in range(5)]
    for document in documents:
        ask(small, document, 0).tokens()
    assert all(
        node.segment.numbers.is_pinned() for node in small.memory.prefixes._nodes() if not node.is_home
    )
    again = ask(small, documents[0] + prompt(5, 9), 8)
    assert again.tokens() == expected(plain, documents[0] + prompt(5, 9), 8)
    assert again.cached == 300


def test_a_device_that_is_full_fails_one_request_and_serves_the_next():
    engine, plain = pair(FAMILIES[0], Limits())
    held = []
    try:
        while True:
            held.append(torch.empty(1 << 28, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        pass
    large = Request(prompt(2000), 10, Sampling())
    engine.submit(large)
    with pytest.raises(Exception, match="memory"):
        large.tokens()
    held.clear()
    torch.cuda.empty_cache()
    ids = prompt(20)
    assert ask(engine, ids, 5).tokens() == expected(plain, ids, 5)


def test_a_model_that_does_not_fit_says_so():
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        with pytest.raises(ModelMissing, match="does not fit in the memory of cuda"):
            weights.load("", CACHE, torch.device("cuda"), torch.bfloat16)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_reference_is_of_the_same_kind_on_both():
    """The comparison itself: the library on the device writes what it writes on the CPU, in fp32."""
    _, plain = pair(FAMILIES[0], Limits())
    ids = prompt(40)
    assert expected(plain, ids, 8) == reference(plain.cpu(), ids, 8)
