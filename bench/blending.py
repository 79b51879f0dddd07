"""Passages read once, each alone, and put together in any order: what that costs in equal tokens, and gives.

Their keys are turned to where they stand now. The first layer is computed for all tokens; those of them where
keys and values of the second differ most from what was remembered are computed in all further layers, and so
is the question. The others stay as they were read. Beside it the same code reads the same prompt as a whole.
"""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from bench.figure import Figure
from bench.made_up import clauses
from bench.reading import DATA
from bench.rounding import ANSWER, greedy
from inference.generator import Message
from inference.generator.segment import Segment

PASSAGES = 8
PASSAGE = 120  # tokens
PROMPTS = 10
SHARES = (0.0, 0.05, 0.15, 0.3)
QUESTION = "\n\nWhat do these passages oblige the parties to do?"

Stretch = tuple[Tensor, int]  # keys and values (L, 2, G, T, D), and where its first token stood


def blending(bench: Any) -> Iterator[Figure]:
    whole = type(bench)(torch.float32)
    equal: dict[float, list[bool]] = {share: [] for share in SHARES}
    taken: dict[float, list[float]] = {share: [] for share in SHARES}
    plain: list[float] = []
    for prompt in range(PROMPTS):
        before, passages, question = _prompt(whole, prompt)
        ids = [*before, *(token for passage in passages for token in passage), *question]
        exact, took = _timed(whole, ids, None, 1.0, len(question))
        plain.append(took)
        answer = whole.request(ids, ANSWER, whole.scope()).tokens()
        told = greedy(whole, [Segment(exact[:, :, :, :-1])], [ids[-1], *answer[:-1]])
        remembered = _put_together(whole, before, passages)
        for share in SHARES:
            made, took = _timed(whole, ids, remembered, share, len(question))
            other = greedy(whole, [Segment(made[:, :, :, :-1])], [ids[-1], *answer[:-1]])
            equal[share] += [a == b for a, b in zip(told, other, strict=True)]
            taken[share].append(took)
    for share in SHARES:
        name = f"generate: 8 passages in any order, {share:.0%} read again"
        yield Figure(
            f"{name}, equal greedy tokens, fp32", sum(equal[share]) / len(equal[share]), "", ">= 0.99"
        )
        ours, theirs = sorted(taken[share])[PROMPTS // 2], sorted(plain)[PROMPTS // 2]
        yield Figure(f"{name}, processor time of the prompt", ours, "s", ">= 4", theirs, theirs / ours)


def _prompt(bench: Any, seed: int) -> tuple[list[int], list[list[int]], list[int]]:
    """What stands before the passages, these, and what stands behind them."""
    chance = random.Random(seed)  # noqa: S311
    files = sorted((DATA / "contracts" / "gold_txt").glob("*.txt"))
    texts = [path.read_text(encoding="utf-8") for path in chance.sample(files, PASSAGES)] if files else []
    texts = texts or [clauses(3000, seed * PASSAGES + n) for n in range(PASSAGES)]
    passages = []
    for text in texts:
        start = chance.randrange(max(1, len(text) - 2000))
        passages.append(bench.script.tokenizer(text[start : start + 2000])["input_ids"][:PASSAGE])
    frame = bench.script.prompt([Message("user", "\x00" + QUESTION)])
    [mark] = bench.script.tokenizer("\x00")["input_ids"]
    at = frame.index(mark)
    return frame[:at], passages, frame[at + 1 :]


def _put_together(bench: Any, before: list[int], passages: Sequence[list[int]]) -> Tensor:
    """(L, 2, G, T, D) of each passage read alone behind the beginning, turned to where it stands now."""
    parts = []
    place = len(before)
    for passage in passages:
        alone, _ = _timed(bench, [*before, *passage], None, 1.0, 0)
        own = alone[:, :, :, len(before) :].clone()
        own[:, 0] = _turned(bench, own[:, 0], torch.tensor([place - len(before)]))
        parts += [own] if parts else [alone[:, :, :, : len(before)], own]
        place += len(passage)
    return torch.cat(parts, dim=3)


@torch.inference_mode()
def _timed(bench: Any, ids: list[int], known: Tensor | None, share: float, last: int) -> tuple[Tensor, float]:
    """Keys and values of the prompt, and the processor's seconds for it."""
    began = time.process_time()
    made = _read(bench, torch.tensor(ids), known, share, last)
    return made, time.process_time() - began


def _read(bench: Any, ids: Tensor, known: Tensor | None, share: float, last: int) -> Tensor:
    """known: of all tokens but the `last` ones. Without it everything is computed."""
    inner = bench.plain.model
    x, places = inner.embed_tokens(ids), torch.arange(len(ids))
    kept = []
    for index, layer in enumerate(inner.layers):
        queries, keys, values = _heads(bench, layer, layer.input_layernorm(x), places)
        if known is not None and index > 0:
            if index == 1:
                chosen = _chosen(known[1], torch.stack([keys, values]), share, last)
                x, places, queries, keys, values = (
                    x[chosen], places[chosen], queries[:, chosen], keys[:, chosen], values[:, chosen]
                )  # fmt: skip
            keys, values = _into(known[index], torch.stack([keys, values]), places, len(ids))
        kept.append(torch.stack([keys, values]))
        hidden = None if len(places) == len(ids) else torch.arange(len(ids)) <= places[:, None]
        seen = scaled_dot_product_attention(
            queries[None], keys[None], values[None], hidden, is_causal=hidden is None, enable_gqa=True
        )
        x = x + layer.self_attn.o_proj(seen[0].transpose(0, 1).reshape(len(x), -1))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return torch.stack(kept)


def _heads(bench: Any, layer: Any, x: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    own = layer.self_attn
    queries, keys, values = (
        product(x).view(len(x), -1, own.head_dim).transpose(0, 1)
        for product in (own.q_proj, own.k_proj, own.v_proj)
    )
    return _turned(bench, queries, places), _turned(bench, keys, places), values


def _turned(bench: Any, heads: Tensor, places: Tensor) -> Tensor:
    """(…, T, D) by so many places."""
    cos, sin = (side[0] for side in bench.plain.model.rotary_emb(heads, places[None]))
    half = heads.shape[-1] // 2
    return heads * cos + torch.cat([-heads[..., half:], heads[..., :half]], dim=-1) * sin


def _chosen(known: Tensor, now: Tensor, share: float, last: int) -> Tensor:
    """The places of the tokens to compute: a share, where most has changed, and the last ones."""
    length = known.shape[2]
    change = (now[:, :, :length] - known).pow(2).sum(dim=(0, 1, 3))
    most = change.topk(round(share * length)).indices.sort().values
    return torch.cat([most, torch.arange(length, length + last)])


def _into(known: Tensor, now: Tensor, places: Tensor, length: int) -> Tensor:
    """What is known, with what was computed at these places."""
    whole = torch.cat(
        [known, known.new_empty(*known.shape[:2], length - known.shape[2], known.shape[3])], dim=2
    )
    whole[:, :, places] = now
    return whole
