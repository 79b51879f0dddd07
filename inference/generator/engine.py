"""The decode loop. It knows token ids and nothing of text."""

import inspect
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from inference.generator.attention import new_cache, use_decode_attention
from inference.generator.sampling import Sampling, pick

PREFILL_CHUNK_CPU = 512  # tokens between two looks at `check`: half a second on two cores
PREFILL_CHUNK_CUDA = 2048


class Engine:
    """One model, one generation at a time; the caller sees to that."""

    def __init__(self, model: PreTrainedModel, ends: frozenset[int]) -> None:
        self.model = model
        self.ends = ends
        self._chunk = PREFILL_CHUNK_CUDA if model.device.type == "cuda" else PREFILL_CHUNK_CPU
        last_only = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._extra = {"logits_to_keep": 1} if last_only else {}
        if model.device.type == "cpu" and model.dtype == torch.bfloat16:
            use_decode_attention(model)

    @property
    def window(self) -> int:
        """Positions the model was made for; 0 where it does not say."""
        config = self.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", 0) or 0)

    def generate(
        self, ids: Sequence[int], limit: int, sampling: Sampling, check: Callable[[], None]
    ) -> Iterator[int]:
        """At most `limit` tokens, without the end token. check() comes before each step, raises to stop."""
        cache = new_cache(self.model)
        written: list[int] = []
        logits = self._prefill(cache, ids, check)
        while True:
            token = pick(logits, sampling, written)
            if token in self.ends:
                return
            yield token
            written.append(token)
            if len(written) == limit:
                return
            check()
            logits = self._step(cache, [token])

    def _prefill(self, cache: DynamicCache, ids: Sequence[int], check: Callable[[], None]) -> Tensor:
        """The prompt in chunks; (V,) logits after its last token."""
        for start in range(0, len(ids), self._chunk):
            check()
            logits = self._step(cache, ids[start : start + self._chunk])
        return logits

    @torch.inference_mode()
    def _step(self, cache: DynamicCache, ids: Sequence[int]) -> Tensor:
        """Feed tokens, (V,) logits for the next one. The cache grows by len(ids)."""
        row = torch.tensor([list(ids)], device=self.model.device)  # (1, T)
        output = self.model(input_ids=row, past_key_values=cache, use_cache=True, **self._extra)
        logits: Tensor = output.logits[0, -1]
        return logits
