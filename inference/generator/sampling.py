"""One row of logits into one token."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.generator.form import Form


@dataclass(frozen=True)
class Sampling:
    temperature: float = 0.0  # 0 = greedy
    repetition_penalty: float = 1.0  # 1 = none


def pick(logits: Tensor, sampling: Sampling, written: Sequence[int], form: Form | None = None) -> int:
    """logits: (V,), `written`: the tokens generated so far."""
    if sampling.repetition_penalty != 1.0 and written:
        logits = _penalise(logits, sampling.repetition_penalty, written)
    token = _drawn(logits, sampling.temperature)
    return token if form is None or form.allows(token) else form.choose(logits)


def _drawn(logits: Tensor, temperature: float) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    chances = torch.softmax(logits.float() / temperature, dim=-1)
    return int(torch.multinomial(chances, 1))


def _penalise(logits: Tensor, penalty: float, written: Sequence[int]) -> Tensor:
    """Divide positive and multiply negative logits of tokens already written."""
    seen = torch.tensor(sorted(set(written)), device=logits.device)
    scores = logits[seen]
    penalised = torch.where(scores > 0, scores / penalty, scores * penalty)
    return logits.index_copy(0, seen, penalised)
