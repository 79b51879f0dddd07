"""An 8B-class model with random weights on one GPU, beside what the chip itself reaches in the same run.

Left out where there is no GPU. `PINCITE_BENCH_GPU=small` runs the same on a model of two layers anywhere: it
checks this file, its figures say nothing. `PINCITE_BENCH_PARTS` names the parts to measure.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Qwen3Config

from bench.figure import Figure
from bench.watch import Watch
from inference.device import choose_device
from inference.generator.disk import Place
from inference.generator.engine import Engine, Limits
from inference.generator.request import Request
from inference.generator.sampling import Sampling

IS_SMALL = os.environ.get("PINCITE_BENCH_GPU") == "small"
TURNS = 3
STREAMS = 32
WORDS = 1000  # token ids that prompts are made of


@dataclass(frozen=True)
class Sizes:
    model: dict[str, int]
    matrix: int  # rows and columns of the product that tells the chip's rate
    copied: int  # bytes of the copy that tells its bandwidth
    prompt: int  # tokens
    document: int
    written: int


LARGE = Sizes(
    {
        "vocab_size": 151_936, "hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
        "max_position_embeddings": 131_072,
    },
    matrix=8192, copied=4 << 30, prompt=16_384, document=88_000, written=64,
)  # fmt: skip
SMALL = Sizes(
    {
        "vocab_size": 2000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 8192,
    },
    matrix=256, copied=1 << 20, prompt=600, document=1500, written=8,
)  # fmt: skip


class Chip:
    """The device, a model on it, and what the device reaches without us."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes, self.device = sizes, choose_device("")
        torch.manual_seed(3)
        with torch.device("meta"):
            dtype = torch.float32 if IS_SMALL else torch.bfloat16
            model = AutoModelForCausalLM.from_config(Qwen3Config(**sizes.model), dtype=dtype)
        self.model: Any = model.to_empty(device=self.device).eval()
        with self.device:  # what is no weight is not filled by hand
            self.model.model.rotary_emb = type(self.model.model.rotary_emb)(self.model.config)
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.fill_(1.0) if "norm" in name else weight.normal_(0, 0.02)
        self._seed = 0

    def engine(self, place: Place | None = None, **limits: Any) -> Engine:
        chunks = {"alone": 4096, "fast": 4096, "beside": 1024}  # as for any model on a GPU
        return Engine(self.model, frozenset(), Limits(running=STREAMS, **chunks, **limits), place)

    def prompt(self, tokens: int) -> list[int]:
        """Another one each time."""
        self._seed += 1
        chance = torch.Generator().manual_seed(self._seed)
        found: list[int] = torch.randint(0, WORDS, (tokens,), generator=chance).tolist()
        return found

    @torch.inference_mode()
    def plain(self, ids: Sequence[int]) -> None:
        """The library's own pass with its own cache."""
        ours = self.model.config._attn_implementation
        self.model.set_attn_implementation("sdpa")
        self.model(torch.tensor([list(ids)], device=self.device), use_cache=True, logits_to_keep=1)
        self.model.set_attn_implementation(ours)

    def seconds(self, work: Callable[[], Any]) -> float:
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def median(self, work: Callable[[], Any]) -> float:
        work()
        return statistics.median(self.seconds(work) for _ in range(TURNS))

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def products(self) -> float:
        """Operations a second of a large product in bf16."""
        n = self.sizes.matrix
        left, right = (torch.randn(n, n, device=self.device).bfloat16() for _ in range(2))
        return 2 * n**3 / self.median(lambda: left @ right)

    def bandwidth(self) -> float:
        """Bytes a second that are read and written by a large copy."""
        there = torch.empty(self.sizes.copied, dtype=torch.uint8, device=self.device)
        here = torch.empty_like(there)
        return 2 * self.sizes.copied / self.median(lambda: here.copy_(there))

    def weights(self) -> int:
        """Parameters that every token is multiplied with."""
        words = self.model.model.embed_tokens.weight.numel()
        return sum(weight.numel() for weight in self.model.parameters()) - words

    def operations(self, tokens: int) -> float:
        """Of reading a prompt: two for each weight, and four for each pair of places in every head."""
        how = self.sizes.model
        pairs = tokens**2 / 2 * how["num_attention_heads"] * how["head_dim"] * how["num_hidden_layers"]
        head = how["vocab_size"] * how["hidden_size"]  # for the last token alone
        return 2 * tokens * (self.weights() - head) + 4 * pairs


def measure() -> list[Figure]:
    if not (torch.cuda.is_available() or IS_SMALL):
        print("  left out: there is no GPU", file=sys.stderr)
        return []
    chip = Chip(SMALL if IS_SMALL else LARGE)
    figures = []
    for part in os.environ.get("PINCITE_BENCH_PARTS", "").split() or list(PARTS):
        for figure in PARTS[part](chip):
            print(f"  {figure.name}: {figure.value:.4g} {figure.unit} {figure.ratio or 0:.3g}", flush=True)
            figures.append(figure)
    return [] if IS_SMALL else figures


def prefill(chip: Chip) -> Iterator[Figure]:
    count, engine = chip.sizes.prompt, chip.engine(cache_bytes=8 << 30)
    taken = chip.median(lambda: ask(engine, chip.prompt(count), 1, "prefill"))
    reached, most = chip.operations(count) / taken / 1e12, chip.products() / 1e12
    yield Figure("gpu: prefill, of the rate of products", reached, "TFLOP/s", ">= 0.5", most, reached / most)
    plain = chip.median(lambda: chip.plain(chip.prompt(count)))
    yield Figure("gpu: cold prefill, against the plain call", taken, "s", "<= 1.05", plain, taken / plain)


def decode(chip: Chip) -> Iterator[Figure]:
    engine = chip.engine(cache_bytes=2 << 30)
    engine.reader.can_draft = False
    ask(engine, chip.prompt(300), chip.sizes.written, "decode")
    step = statistics.median(gaps(engine, chip.prompt(300), chip.sizes.written))
    least = 2 * chip.weights() / chip.bandwidth()
    yield Figure(
        "gpu: decode, of the time that reading the weights takes", step, "s", ">= 0.6", least, least / step
    )
    asked = [chip.prompt(300 + at) for at in range(STREAMS)]
    one = chip.seconds(lambda: ask(engine, chip.prompt(300), chip.sizes.written, "one"))

    def together() -> None:
        for request in [asking(engine, ids, chip.sizes.written, "many") for ids in asked]:
            request.tokens()

    each = chip.seconds(together) / STREAMS
    yield Figure(f"gpu: {STREAMS} streams, total tokens/s against one", each, "s", ">= 8", one, one / each)


def warm(chip: Chip) -> Iterator[Figure]:
    """The first token of another question over one long document: from the device, the host, the disk."""
    document, shape = chip.prompt(chip.sizes.document), chip.engine().reader.shape
    room = int(1.3 * shape.token_bytes * len(document))
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), 4 * room, "bench")
        limits = {"cache_bytes": room, "host_bytes": 2 * room}

        def first(engine: Engine) -> float:
            return chip.seconds(lambda: ask(engine, document + chip.prompt(30), 1, "warm"))

        engine = chip.engine(place, **limits)
        ask(engine, chip.prompt(chip.sizes.prompt), 1, "before")  # what only the first call takes
        cold = first(engine)
        near = statistics.median(first(engine) for _ in range(TURNS))
        engine.memory._disk.wait()
        yield Figure("gpu: first token, kept on the device", near, "s", ">= 30", cold, cold / near)
        pinned = statistics.median(first(engine) for _ in _moved(chip, engine))
        yield Figure("gpu: first token, kept in pinned memory", pinned, "s", ">= 30", cold, cold / pinned)
        engine.memory._disk.wait()
        del engine
        _drop_pages(Path(folder))
        again = chip.engine(place, **limits)
        stored = first(again)
        again.memory._disk.wait()
        yield Figure("gpu: first token, kept on disk", stored, "s", ">= 5", cold, cold / stored)


def _drop_pages(folder: Path) -> None:
    """What the machine keeps of these files in its memory: they are read from the disk again."""
    for path in folder.rglob("*.safetensors"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _moved(chip: Chip, engine: Engine) -> Iterator[None]:
    """Each time another document has taken the place on the device."""
    for turn in range(TURNS):
        ask(engine, chip.prompt(chip.sizes.document), 1, f"other {turn}")
        yield


def ask(engine: Engine, ids: Sequence[int], tokens: int, scope: str) -> None:
    asking(engine, ids, tokens, scope).tokens()


def asking(engine: Engine, ids: Sequence[int], tokens: int, scope: str) -> Request:
    request = Request(ids, tokens, Sampling(), scope)
    engine.submit(request)
    return request


def gaps(engine: Engine, ids: Sequence[int], tokens: int) -> list[float]:
    """Seconds from token to token."""
    watch = Watch()
    watch.put(ids)
    request = asking(engine, ids, tokens, "gaps")
    while (token := request.get(600)) is not None:
        watch.put(token)
    return watch.gaps()


PARTS: dict[str, Callable[[Chip], Iterator[Figure]]] = {"prefill": prefill, "decode": decode, "warm": warm}
