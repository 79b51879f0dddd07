"""What is remembered for models with a state that cannot be cut back: Kimi-Linear, and others."""

import random
from copy import deepcopy

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    KimiLinearConfig,
)

from inference.app import ServerConfig, build_app
from inference.embedder import EmbedderConfig
from inference.errors import ModelMissing
from inference.generator import GeneratorConfig, Message, Options, open_generator
from inference.generator.engine import Engine, Limits
from inference.generator.layout import Layout, Stretch
from inference.generator.plain import PlainReader, PlainState
from inference.generator.prefixes import tokens_of
from inference.generator.reader import Feed
from inference.generator.request import Request
from inference.generator.snapshots import Snapshots, Tree
from inference.generator.stops import stops
from tests.inference.conftest import KEY, serving, wait_for
from tests.inference.test_engine import GREEDY, SMALL, ask, pair, prompt, reference

CPU = torch.device("cpu")
KINDS = ["linear_attention", "full_attention", "linear_attention"]
MIXED = {"num_local_experts": 4, "num_experts_per_tok": 2, "layer_types": KINDS}
KIMI = KimiLinearConfig(
    **SMALL | MIXED | {"num_key_value_heads": 4},
    linear_head_dim=16,
    linear_num_heads=2,
    kv_lora_rank=16,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=16,
    moe_intermediate_size=32,
)
TEXTS = [
    ("Sources", "These are read. "),
    ("Lease", "The lessee pays 900 euros. "),
    ("Letter", "The roof is to be mended. "),
    ("Bill", "The repair cost 300 euros. "),
]
OTHERS = {
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"]},
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16},
    "gpt_oss": MIXED
    | {"head_dim": 16, "sliding_window": 20, "layer_types": ["sliding_attention", *KINDS[1:2]]},
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1},
    "mixtral": {"num_local_experts": 4},
}


@pytest.fixture(scope="module")
def kimi():
    return pair(KIMI)


def fresh(kimi, **limits):
    """Another engine over the same weights, which has read nothing."""
    engine, plain = kimi
    return Engine(engine.reader.model, frozenset(), Limits(alone=16, beside=8, **limits)), plain


def ask_in_sections(engine, ids, sections, count=3):
    request = Request(ids, count, GREEDY)
    request.sections = sections
    engine.submit(request)
    return request


def test_the_third_prompt_gets_all_that_the_second_shared_with_the_first(kimi):
    engine, plain = fresh(kimi)
    common = prompt(140)
    cached = []
    for seed in (2, 3, 4, 5):
        ids = common + prompt(10, seed)
        request = ask(engine, ids, 8)
        assert request.tokens() == reference(plain, ids, 8)
        cached.append(request.cached)
    assert cached == [0, 80, 140, 140]


def test_what_was_warmed_and_what_was_said_is_gone_on_from(kimi):
    engine, plain = fresh(kimi)
    document = prompt(70)
    assert ask(engine, document, 0).tokens() == []
    for seed in (2, 3, 2):
        ids = document + prompt(9, seed)
        request = ask(engine, ids, 12)
        written = request.tokens()
        assert (written, request.cached) == (reference(plain, ids, 12), 70)
    wait_for(lambda: engine.is_idle)
    ids = [*ids, *written, 7, 8]
    request = ask(engine, ids, 3)
    assert (request.tokens(), request.cached) == (reference(plain, ids, 3), 79 + 11)


def test_the_second_prompt_gets_the_sections_that_it_shares(kimi):
    engine, plain = fresh(kimi)
    text = prompt(300)
    assert ask_in_sections(engine, text, [90, 200]).tokens() == reference(plain, text, 3)
    for length, cached in ((205, 200), (195, 90), (89, 0)):
        ids = text[:length] + prompt(9, seed=length)
        request = ask(engine, ids, 5)
        assert request.tokens() == reference(plain, ids, 5)
        assert request.cached == cached


def test_of_prompts_asked_at_once_the_second_gets_all_that_it_shares(kimi):
    engine, plain = fresh(kimi)
    common = prompt(140)
    asked = [common + prompt(12, seed) for seed in (2, 3, 4)]
    requests = [ask(engine, ids, 3) for ids in asked]
    assert [request.tokens() for request in requests] == [reference(plain, ids, 3) for ids in asked]
    assert [request.cached for request in requests] == [0, 140, 140]
    assert [request.waits_for for request in requests] == [None, None, None]


def test_a_model_of_nothing_but_states_keeps_some_of_a_long_text():
    config = AutoConfig.for_model("mamba2", **SMALL | {"num_hidden_layers": 3} | OTHERS["mamba2"])
    engine, plain = pair(config)
    text = prompt(400)
    ask(engine, text, 1).tokens()
    ids = text[:300] + prompt(9, 2)
    request = ask(engine, ids, 3)
    assert request.tokens() == reference(plain, ids, 3)
    assert request.cached >= 200


def test_logits_behind_a_snapshot_are_those_of_a_fresh_read(kimi):
    """Bit by bit where the fresh read stops at the same place; else a sum may run in another order."""
    engine, plain = kimi
    layout = Layout(engine.reader.model)
    memory, reader = Snapshots(layout, 1 << 30, 0, 16), PlainReader(engine.reader.model, layout)
    ids = prompt(190, seed=9)
    straight = memory.open("", ids, [140])
    reader.step([Feed(straight, ids[:140], 0)], list)
    memory.passed(straight, ids)
    again = memory.open("", ids)
    assert again.known == 140
    told = [reader.step([Feed(state, ids[140:], 50)], list)[0] for state in (straight, again)]
    assert torch.equal(*told)
    with torch.no_grad():
        theirs = plain(torch.tensor([ids])).logits[0, 140:]
    assert (told[0] - theirs).abs().max() < 1e-5


def test_keys_and_values_are_remembered_once_and_each_state_takes_the_same(kimi):
    engine, _ = fresh(kimi)
    layout, text = engine.reader.layout, prompt(1000)
    ask_in_sections(engine, text, [300, 600], 0).tokens()
    ask(engine, text[:600] + prompt(100, 2), 0).tokens()
    wait_for(lambda: engine.is_idle)
    nodes = list(engine.memory.prefixes._nodes())
    states = [node for node in nodes if node.segment.state is not None]
    assert engine.memory.bytes == 1100 * layout.row_bytes + len(states) * layout.state_bytes
    assert len(states) * layout.state_bytes < 1.5 * 1100 * layout.row_bytes


def test_a_small_memory_keeps_the_end_of_a_long_text(kimi):
    """States in the midst of it go first."""
    layout = kimi[0].reader.layout
    engine, plain = fresh(kimi, cache_bytes=1000 * layout.row_bytes + 3 * layout.state_bytes)
    text = prompt(900)
    ask(engine, text, 0).tokens()
    assert engine.memory.bytes <= engine.limits.cache_bytes
    request = ask(engine, [*text, 5, 6], 4)
    assert request.tokens() == reference(plain, [*text, 5, 6], 4)
    assert request.cached == 900


def test_states_in_the_midst_of_a_text_leave_the_device_with_it(kimi):
    """And come back from the memory behind it."""
    layout = kimi[0].reader.layout
    one = 420 * layout.row_bytes + 8 * layout.state_bytes
    engine, plain = fresh(kimi, cache_bytes=one, host_bytes=20 * one)
    text = prompt(400)
    ask_in_sections(engine, text, [300], 0).tokens()
    ask(engine, prompt(400, 2), 0).tokens()
    ids = text[:300] + prompt(9, 3)
    request = ask(engine, ids, 4)
    assert request.tokens() == reference(plain, ids, 4)
    assert request.cached == 300


def test_a_scope_that_is_forgotten_and_memory_that_is_given_back_leave_nothing(kimi):
    engine, plain = fresh(kimi)
    ids = prompt(100)
    for scope, cached in (("a", 0), ("b", 0), ("a", 99)):
        request = ask(engine, ids, 3, scope)
        assert request.tokens() == reference(plain, ids, 3)
        assert request.cached == cached
    wait_for(lambda: engine.is_idle)
    both = engine.memory.bytes
    engine.forget("a")
    wait_for(lambda: 0 < engine.memory.bytes < both)
    assert ask(engine, ids, 3, "a").tokens() == reference(plain, ids, 3)
    wait_for(lambda: engine.is_idle)
    assert engine.memory.shrink()
    assert engine.memory.bytes == 0


@pytest.fixture(scope="module")
def folder(smol, tmp_path_factory):
    """A model of that kind with the tokenizer of another, in a folder."""
    torch.manual_seed(7)
    config = deepcopy(KIMI)
    config.vocab_size = len(smol.tokenizer)
    config.eos_token_id = smol.tokenizer.eos_token_id
    place = tmp_path_factory.mktemp("tiny-kimi")
    AutoModelForCausalLM.from_config(config).save_pretrained(place)
    smol.tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module", params=["here", "behind a server"])
def generator(request, folder):
    local = GeneratorConfig(model=str(folder), device="cpu")
    if request.param == "here":
        yield open_generator(local)
        return
    with serving(build_app(ServerConfig(EmbedderConfig(device="cpu"), local, KEY))) as address:
        yield open_generator(GeneratorConfig(url=address, api_key=KEY))


def test_another_question_goes_on_from_the_last_document_that_it_shares(generator):
    """From the very second question on, though both have other documents behind."""
    lead, lease, letter, bill = (f"{name} {text * 30}\n\n" for name, text in TEXTS)

    def cached(documents):
        content, ends = "", []
        for document in documents:
            content += document
            ends.append(len(content))
        told = [Message("system", "Be brief."), Message("user", f"{content}Who pays?", tuple(ends))]
        stream = generator.stream(told, Options(max_tokens=2, scope="matter"), lambda: False)
        return len("".join(stream)) and (stream.usage.prompt_tokens, stream.usage.cached_tokens)

    whole, known = cached([lead, lease, letter])
    assert known == 0
    assert whole * 0.5 < cached([lead, lease, bill])[1] < whole * 0.7
    assert whole * 0.9 < cached([lead, lease, letter])[1]


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_of_state_go_on_in_the_same_way(kind):
    layers = {"num_hidden_layers": len(OTHERS[kind].get("layer_types", KINDS))}
    engine, plain = pair(AutoConfig.for_model(kind, **SMALL | layers | OTHERS[kind]))
    common, cached = prompt(70), []
    for seed in (2, 3, 4):
        ids = common + prompt(9, seed)
        request = ask(engine, ids, 8)
        assert request.tokens() == reference(plain, ids, 8)
        cached.append(request.cached)
    assert cached == ([0, 70, 70] if kind == "mixtral" else [0, 0, 70])


@pytest.mark.parametrize("kind", ["rwkv", "recurrent_gemma"])
def test_a_model_that_keeps_its_state_elsewhere_is_refused(kind):
    """Its answers would mix what several have read."""
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SMALL)).eval()
    with pytest.raises(ModelMissing, match=f"“{kind}” is not served"):
        Engine(model, frozenset())


def test_a_cache_of_an_unknown_kind_is_said_to_remember_nothing(kimi, monkeypatch, caplog):
    from inference.generator import layout

    monkeypatch.setattr(layout, "KNOWN", layout.KNOWN - {layout.DynamicLayer})
    engine, plain = fresh(kimi)
    assert "“kimi_linear” reads is remembered: DynamicLayer" in caplog.text
    ids = prompt(40)
    for _ in range(2):
        request = ask(engine, ids, 5)
        assert (request.tokens(), request.cached) == (reference(plain, ids, 5), 0)


@pytest.mark.parametrize(
    ("known", "end", "sections", "branch", "expected"),
    [
        (0, 150, [], 0, [150]),
        (0, 150, [], 140, [140]),  # the end is so near that it is read again
        (0, 190, [], 140, [140, 190]),
        (140, 170, [], 150, [170]),  # the branch is so near to what is known
        (0, 900, [100, 130, 500, 520], 0, [130, 520, 900]),
        (0, 900, [100, 500], 495, [100, 495, 900]),
        (0, 2500, [], 0, [1000, 2000, 2500]),
        (990, 2050, [], 0, [2050]),
    ],
)
def test_reading_stops_where_it_pays(known, end, sections, branch, expected):
    assert stops(known, end, sections, branch, interval=1000, most=8) == expected


def test_many_sections_are_thinned_and_the_last_one_stays():
    found = stops(0, 100_000, range(0, 90_001, 100), 0, interval=5000, most=8)
    assert len(found) <= 2 * 8 + 1
    assert {90_000, 100_000} <= set(found)


@pytest.mark.parametrize("host", [0, 24 * 700])
def test_a_thousand_random_prompts_stay_in_the_budget_and_nothing_leaks(host):
    """A row tells its token and place, a state how many were read."""
    chance = random.Random(6)  # noqa: S311
    tree = Tree(24 * 1000, host, CPU)
    served = 0
    for number in range(1000):
        if number % 100 == 99:
            tree.shrink()
            assert tree.bytes == counted(tree)
        common = [chance.randrange(3) for _ in range(2)] + [7] * chance.choice([5, 60, 200])
        tokens = common + [chance.randrange(50) for _ in range(chance.randrange(1, 80))]
        scope = chance.choice("ab")
        node, found, shared = tree.begin(scope, tokens_of(tokens[:-1]))
        known = sum(len(stretch) for stretch in found)
        assert [int(row) for stretch in found for row in stretch.rows[0][0, 0, :, 0]] == tokens[:known]
        assert not known or int(found[-1].state[0][0]) == known
        tree.release(node)
        for stop in sorted({shared, len(tokens)} - {0}):
            if stop > known and not tree.holds(scope, tokens_of(tokens[:stop])):
                tree.keep(scope, tokens_of(tokens[:stop]), remembered(tokens[:stop]))
        served += known
        assert tree.bytes == counted(tree)
        assert stored(tree) <= 24 * 1000 + host
        assert tree.bytes[True] <= 24 * 1000
        assert tree.bytes[False] <= host
    assert served > 10_000
    assert tree.pins == 0
    for scope in "ab":
        tree.forget(scope)
    assert tree.bytes == {True: 0, False: 0}


def remembered(tokens):
    rows = torch.tensor([[token, place] for place, token in enumerate(tokens)], dtype=torch.float32)
    return Stretch([rows[None, None]], [torch.full((20,), float(len(tokens)))], len(tokens))


def stored(tree):
    """The bytes of all storage that the nodes keep alive."""
    kept = [tensor for node in tree._nodes() for tensor in (*node.segment.rows, *(node.segment.state or ()))]
    storages = [tensor.untyped_storage() for tensor in kept]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def counted(tree):
    nodes = list(tree._nodes())
    return {home: sum(node.bytes for node in nodes if node.is_home == home) for home in (True, False)}


@pytest.mark.parametrize("kind", ["kimi_linear", *OTHERS])
def test_answers_written_together_are_those_written_alone(kind):
    """In one batch, where the model writes the same in it: tried when it is loaded."""
    layers = {"num_hidden_layers": len(OTHERS.get(kind, {}).get("layer_types", KINDS))}
    config = KIMI if kind == "kimi_linear" else AutoConfig.for_model(kind, **SMALL | layers | OTHERS[kind])
    engine, plain = pair(config)
    calls = []
    engine.reader.model.register_forward_hook(lambda *_: calls.append(1))
    asked = [prompt(20 + 13 * i, seed=20 + i) for i in range(8)]
    running = [ask(engine, ids, 25) for ids in asked]
    assert [request.tokens() for request in running] == [reference(plain, ids, 25) for ids in asked]
    assert (len(calls) < 8 * 25) == (kind not in {"gpt_oss", "mamba2"})
    again = [ask(engine, [*ids, 5], 3) for ids in asked]  # from what was remembered of the batch
    assert [request.tokens() for request in again] == [reference(plain, [*ids, 5], 3) for ids in asked]


def test_caches_come_back_from_a_batch_as_they_were(kimi):
    """And what is taken of one does not hold the memory of the others."""
    reader, layout = kimi[0].reader, kimi[0].reader.layout
    lengths = [5, 20]
    states = [PlainState("", layout.empty(), 0) for _ in lengths]
    reader.step([Feed(state, prompt(n), 1) for state, n in zip(states, lengths, strict=True)], list)
    caches = [state.cache for state in states]
    before = [layout.taken(cache, n) for cache, n in zip(caches, lengths, strict=True)]
    layout.part(layout.joined(caches, lengths), caches, lengths)
    after = [layout.taken(cache, n) for cache, n in zip(caches, lengths, strict=True)]
    for one, other in zip(before, after, strict=True):
        assert all(map(torch.equal, (*one.rows, *one.state), (*other.rows, *other.state)))
        assert all(row.untyped_storage().nbytes() == row.nbytes for row in other.rows)
