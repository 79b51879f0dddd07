"""The forward pass of our own beside the library's, in fp32."""

from copy import deepcopy

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from inference.generator.attention import Pack
from inference.generator.lean import Lean, fits
from inference.generator.reader import Feed, Reader
from inference.generator.segment import State, shape_of
from tests.inference.test_engine import SMALL

LENGTH = 50
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 16}


def model_of(config):
    """With biases and norms of which none is 0 or 1, as in a model that has learned."""
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(deepcopy(config), attn_implementation="eager").eval()
    for name, weight in model.named_parameters():
        if "bias" in name or "norm" in name:
            torch.nn.init.normal_(weight, 1.0, 0.3)
    return model


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SMALL),
        LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True),
        MistralConfig(**SMALL, sliding_window=20),
        Qwen2Config(**SMALL),
        Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=20, max_window_layers=1),
        Qwen3Config(**SMALL, head_dim=32),
        LlamaConfig(**SMALL, rope_parameters=LLAMA3),
        Qwen2Config(**SMALL, rope_parameters=YARN),
    ],
    ids=lambda config: config.model_type,
)
@torch.inference_mode()
def test_the_logits_are_those_of_the_library_before_and_after(config):
    model = model_of(config)
    row, places = torch.randint(3, 300, (LENGTH,)), torch.arange(LENGTH)
    expected = model(row[None]).logits[0]
    assert fits(model)
    lean, state = Lean(model), State(shape_of(model), "", None, [])
    state.expect(LENGTH)
    made = lean(row, places, places, Pack([state], [LENGTH], lambda: None))
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model(row[None]).logits[0], expected)  # its weights were moved, not changed


def test_another_kind_of_model_is_left_to_the_library():
    assert not fits(model_of(GemmaConfig(**SMALL, head_dim=16)))
    assert not fits(model_of(LlamaConfig(**SMALL, hidden_act="gelu")))


def test_layers_that_do_more_than_multiply_are_left_to_the_library():
    class Scaled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model = model_of(LlamaConfig(**SMALL))
    own = model.model.layers[0].self_attn
    own.k_proj = Scaled(own.k_proj.in_features, own.k_proj.out_features, bias=False)
    assert not fits(model)


@pytest.mark.parametrize("config", [Qwen3Config(**SMALL, head_dim=32), GemmaConfig(**SMALL)])
def test_a_step_makes_nothing_on_another_device(config):
    """On torch's device without memory, where what does not lie there as well cannot be computed with."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(deepcopy(config)).to(torch.bfloat16).eval()
    reader = Reader(model)
    states = [State(reader.shape, "scope", None, []) for _ in range(3)]
    for count in (LENGTH, 1, 40):  # a prompt, a token, and so many that torch's kernel attends
        feeds = [Feed(state, [5] * count, 1) for state in states]
        assert all(rows.device.type == "meta" for rows in reader.step(feeds, lambda: None))
    assert fits(model) == (config.model_type == "qwen3")


def test_engines_of_a_model_share_its_weights():
    model = model_of(LlamaConfig(**SMALL))
    assert Lean.of(model) is Lean.of(model)


@torch.inference_mode()
def test_in_bf16_the_weights_are_laid_out_anew_and_the_logits_stay_close():
    model = model_of(LlamaConfig(**SMALL, attention_bias=True)).bfloat16()
    row, places = torch.randint(3, 300, (LENGTH,)), torch.arange(LENGTH)
    expected = model(row[None]).logits[0].float()
    state = State(shape_of(model), "", None, [])
    state.expect(LENGTH)
    made = Lean(model)(row, places, places, Pack([state], [LENGTH], lambda: None)).float()
    assert (made - expected).abs().max() < 0.02 * expected.abs().max()
