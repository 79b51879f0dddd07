"""The model of a packed step: feed tokens of several sequences, get logits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.cores import Cores
from inference.generator.attention import Pack, use_packed_attention
from inference.generator.lean import Lean, fits
from inference.generator.segment import State, shape_of

# Families whose attention was compared with the library's, token for token.
FAMILIES = {"llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2", "gemma3_text", "phi3"}
FEW = 64  # rows of a step, for which it may be quicker on one core of a CPU
UNSTEADY = {"dynamic", "longrope"}  # rotary embeddings that depend on the longest sequence of a step


S = TypeVar("S")


@dataclass(frozen=True)
class Feed(Generic[S]):
    """Tokens for one sequence, and for how many of the last ones logits are wanted."""

    state: S
    tokens: Sequence[int]
    wanted: int


def can_be_packed(model: PreTrainedModel) -> bool:
    config = model.config
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = {rope.get("rope_type"), *(v.get("rope_type") for v in rope.values() if isinstance(v, dict))}
    return config.model_type in FAMILIES and not kinds & UNSTEADY


class Reader:
    can_draft = True

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.shape = shape_of(model)
        use_packed_attention(model)
        self._lean = Lean.of(model) if fits(model) else None
        self._cores = Cores() if model.device.type == "cpu" else None

    @torch.inference_mode()
    def step(self, feeds: Sequence[Feed[State]], check: Callable[[], None]) -> list[Tensor]:
        """Logits (wanted, V) of each feed. What check() raises ends the step as if it had not been."""
        for feed in feeds:
            feed.state.expect(len(feed.tokens))
        device = self.model.device
        row = [token for feed in feeds for token in feed.tokens]
        positions = [len(f.state) + i for f in feeds for i in range(len(f.tokens))]
        work = partial(
            self._logits,
            torch.tensor(row, device=device),
            torch.tensor(positions, device=device),
            torch.tensor(_kept(feeds), device=device, dtype=torch.long),
            Pack([feed.state for feed in feeds], [len(feed.tokens) for feed in feeds], check),
        )
        cores = self._cores if len(row) <= FEW else None
        logits = work() if cores is None else cores.run(len(row), work)
        for feed in feeds:
            feed.state.filled += len(feed.tokens)
        return list(torch.split(logits, [feed.wanted for feed in feeds]))

    @torch.inference_mode()  # which holds for one thread
    def _logits(self, row: Tensor, positions: Tensor, kept: Tensor, pack: Pack) -> Tensor:
        """(K, V) at the places that are kept."""
        if self._lean is not None:
            return self._lean(row, positions, kept, pack)
        output = self.model(
            input_ids=row[None],
            position_ids=positions[None],
            past_key_values=pack,
            use_cache=True,
            logits_to_keep=kept,
            pack=pack,
        )
        logits: Tensor = output.logits[0]
        return logits


def _kept(feeds: Sequence[Feed[Any]]) -> list[int]:
    """Places in the row whose logits are wanted."""
    kept: list[int] = []
    at = 0
    for feed in feeds:
        at += len(feed.tokens)
        kept += range(at - feed.wanted, at)
    return kept
