"""The forward pass of Llama-like models, with fewer and larger calls than the library's.

A step of one token is bound by what each call costs beside its work, on a GPU even more so: the three
products of a layer's attention are one here, as are the two that widen, and a norm is one call. The same
numbers but for the order of sums.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from inference.device import cpu_has_bf16
from inference.generator.attention import How, Pack

ROWS = 512  # of a product, for which packed weights are laid out; they serve any number
FAMILIES = {"llama", "mistral", "qwen2", "qwen3"}

Turn = tuple[Tensor, Tensor]  # cosines, and sines with the sign of the half that they stand for; (N, 1, D)


_MADE: WeakKeyDictionary[PreTrainedModel, "Lean"] = WeakKeyDictionary()


def fits(model: PreTrainedModel) -> bool:
    config = model.config
    is_known = config.model_type in FAMILIES and config.hidden_act == "silu"
    return is_known and _is_plain(model)


def _is_plain(model: PreTrainedModel) -> bool:
    """Whether its layers multiply by their weights and do nothing else, as quantised ones do."""
    layers = [module for name, module in model.named_modules() if name.endswith("_proj")]
    return all(type(each) is nn.Linear and each.weight.dtype == model.dtype for each in layers)


class Lean:
    """Over the model's own weights, which it moves together; the library can go on using them.

    Not in bf16 on a CPU: there the weights are laid out in the order in which the processor reads them
    (twice as fast for few rows), and the model's own are let go.
    """

    @staticmethod
    def of(model: PreTrainedModel) -> "Lean":
        """One for each model, however many engines it has."""
        if model not in _MADE:
            _MADE[model] = Lean(model)
        return _MADE[model]

    def __init__(self, model: Any) -> None:
        inner = model.model
        self._words, self._rotary = inner.embed_tokens, inner.rotary_emb
        self._layers = [_Layer(layer) for layer in inner.layers]
        self._norm, self._head = _Norm(inner.norm), _Product(model.lm_head, keeps=True)

    def __call__(self, row: Tensor, positions: Tensor, kept: Tensor, pack: Pack) -> Tensor:
        """Tokens (N,) at these positions, and the places whose logits are wanted (K,) → (K, V)."""
        x = self._words(row)
        cos, sin = (side[0, :, None] for side in self._rotary(x, positions[None]))
        half = sin.shape[-1] // 2
        turn = cos, torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
        for layer in self._layers:
            x = layer(x, turn, pack)
        return self._head(self._norm(x[kept]))


class _Norm:
    def __init__(self, norm: Any) -> None:
        self._weight, self._eps = norm.weight, norm.variance_epsilon

    def __call__(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self._weight.shape, self._weight, self._eps)


class _Product:
    """Linear layers over the same input, as one product."""

    def __init__(self, *parts: Any, keeps: bool = False) -> None:
        """keeps: the layer's own weight is used elsewhere as well."""
        weight = (
            parts[0].weight.detach() if len(parts) == 1 else torch.cat([p.weight.detach() for p in parts])
        )
        biases = [part.bias.detach() for part in parts if part.bias is not None]
        self._bias = torch.cat(biases) if biases else None
        is_on_cpu = weight.device.type == "cpu"
        self._weight, self._is_packed = (
            weight,
            is_on_cpu and weight.dtype == torch.bfloat16 and cpu_has_bf16(),
        )
        if self._is_packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
        if not keeps:
            self._give(parts, weight)

    def __call__(self, x: Tensor) -> Tensor:
        if not self._is_packed:
            return functional.linear(x, self._weight, self._bias)
        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return made

    def _give(self, parts: Sequence[Any], weight: Tensor) -> None:
        """The layers get parts of the joined weight; of a packed one there are none."""
        sizes = [part.out_features for part in parts]
        for part, own in zip(parts, torch.split(weight, sizes), strict=True):
            part.weight.data = own[:0].clone() if self._is_packed else own


class _Layer:
    def __init__(self, layer: Any) -> None:
        own, mlp = layer.self_attn, layer.mlp
        self._index, self._width = own.layer_idx, own.head_dim
        self._heads = own.config.num_attention_heads
        self._groups = own.config.num_key_value_heads
        window = own.sliding_window if hasattr(own, "sliding_window") else _window(own.config)
        self._how = How(own.scaling, None, window)
        self._before, self._after = _Norm(layer.input_layernorm), _Norm(layer.post_attention_layernorm)
        self._attend, self._gather = _Product(own.q_proj, own.k_proj, own.v_proj), _Product(own.o_proj)
        norms = [getattr(own, name, None) for name in ("q_norm", "k_norm")]
        self._norms = [_Norm(norm) for norm in norms if norm is not None]
        self._widen, self._narrow = _Product(mlp.gate_proj, mlp.up_proj), _Product(mlp.down_proj)

    def __call__(self, x: Tensor, turn: Turn, pack: Pack) -> Tensor:
        """(N, width of the model)"""
        made = self._attend(self._before(x)).view(len(x), -1, self._width)  # (N, H + 2 G, D)
        queries, keys, values = torch.split(made, [self._heads, self._groups, self._groups], dim=1)
        if self._norms:
            queries, keys = (norm(side) for norm, side in zip(self._norms, (queries, keys), strict=True))
        pack.update(_first(_turned(keys, turn)), _first(values), self._index)
        seen = pack.attend(_first(_turned(queries, turn)), self._index, self._how)  # (1, N, H, D)
        x = x + self._gather(seen.reshape(len(x), -1))
        gate, up = self._widen(self._after(x)).chunk(2, dim=-1)
        return x + self._narrow(functional.silu(gate) * up)


def _window(config: Any) -> int | None:
    """Mistral's, which is the same in all layers; Llama has none."""
    return getattr(config, "sliding_window", None) if config.model_type == "mistral" else None


def _turned(heads: Tensor, turn: Turn) -> Tensor:
    """By their places; (N, heads, D)"""
    cos, sin = turn
    swapped = heads.roll(heads.shape[-1] // 2, dims=-1)
    return (heads * cos).addcmul_(swapped, sin)


def _first(heads: Tensor) -> Tensor:
    """(N, heads, D) → (1, heads, N, D), as the library has it"""
    return heads.transpose(0, 1)[None]
