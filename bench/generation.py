"""The generator beside the plain `transformers` call, interleaved in one process, with the default model.

PINCITE_BENCH_TURNS repeats everything; PINCITE_BENCH_PARTS names the parts to measure, which on a busy
machine take long. Times are in the default precision of this machine. The tests check equality in fp32.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import enumerate as enumerate_threads
from typing import Any

import torch

from bench.blending import blending
from bench.figure import Figure, compared
from bench.guessing import guessing as guesses
from bench.made_up import clauses
from bench.rounding import rounding
from bench.watch import Watch
from inference.device import choose_device, choose_dtype
from inference.generator import GeneratorConfig, Message, Options, weights
from inference.generator import engine as engines
from inference.generator.disk import Place
from inference.generator.engine import Engine, Limits
from inference.generator.local import LocalGenerator
from inference.generator.request import Request
from inference.generator.sampling import Sampling
from inference.generator.text import Script

MODELS = Path(__file__).resolve().parent.parent / "var" / "models"
GREEDY = Sampling()
ANSWER = 60
QUESTIONS = 20
PLAIN_QUESTIONS = 1  # of the twenty the plain call is timed with so many a turn,
OUR_QUESTIONS = 4  # and ours with so many behind the first, which reads the document
DECODE_TURNS = 4
DECODED = 20  # tokens of each answer
TURNS = int(os.environ.get("PINCITE_BENCH_TURNS", "1"))
NO_ENDS: frozenset[int] = frozenset()


class Bench:
    """The plain model and the engine over the same weights, loaded twice: ours changes its attention."""

    def __init__(self, dtype: torch.dtype, limits: Limits | None = None) -> None:
        device = choose_device("")
        loaded = weights.load("", MODELS, device, dtype)
        self.script = Script(loaded.tokenizer)
        self.plain: Any = weights.load("", MODELS, device, dtype).model
        self.plain.generation_config.eos_token_id = None
        self.model = loaded.model
        self.engine = Engine(loaded.model, NO_ENDS, limits)
        self._scope = 0

    def ids(self, count: int, seed: int) -> list[int]:
        """So many tokens of clauses, different for each seed."""
        return self.script.tokenizer(clauses(count, seed))["input_ids"][:count]

    def scope(self) -> str:
        """One that has read nothing."""
        self._scope += 1
        return f"scope {self._scope}"

    def ask(self, ids: Sequence[int], tokens: int, scope: str, engine: Engine | None = None) -> float:
        """Seconds for so many tokens."""
        return seconds(lambda: self.request(ids, tokens, scope, engine).tokens())

    def request(self, ids: Sequence[int], tokens: int, scope: str, engine: Engine | None = None) -> Request:
        request = Request(ids, tokens, GREEDY, scope)
        (engine or self.engine).submit(request)
        return request

    def plain_seconds(self, ids: Sequence[int], tokens: int) -> float:
        self.rest()
        return seconds(lambda: self.generate(ids, tokens))

    def rest(self) -> None:
        """Until our threads have ended: beside them those of the plain call would sleep between two calls."""
        while any(thread.name == "engine" for thread in enumerate_threads()):
            time.sleep(0.05)

    @torch.inference_mode()
    def generate(self, ids: Sequence[int], tokens: int, **how: Any) -> list[int]:
        self.rest()
        row = torch.tensor([list(ids)], device=self.plain.device)
        mask = torch.ones_like(row)
        out = self.plain.generate(row, attention_mask=mask, max_new_tokens=tokens, do_sample=False, **how)
        return out[0, len(ids) :].tolist()  # type: ignore[no-any-return]


def measure() -> list[Figure]:
    engines.IDLE_SECONDS = 0.2
    bench = Bench(choose_dtype(choose_device("")))
    bench.ask(bench.ids(64, 0), 8, bench.scope())
    bench.generate(bench.ids(64, 0), 8)
    wanted = os.environ.get("PINCITE_BENCH_PARTS", "").split() or list(PARTS)
    figures = []
    for part in wanted:
        for figure in PARTS[part](bench):
            print(f"  {figure.name}: {figure.value:.4g} {figure.unit} {figure.ratio or 0:.3g}", flush=True)
            figures.append(figure)
    return figures


def short(bench: Bench) -> Iterator[Figure]:
    return first_tokens(bench, 2000, ">= 20")


def long(bench: Bench) -> Iterator[Figure]:
    return first_tokens(bench, 4000, ">= 50")


def first_tokens(bench: Bench, count: int, goal: str) -> Iterator[Figure]:
    """Time to first token: the plain call, ours without the cache, another question, from disk."""
    document = bench.ids(count, count)
    with tempfile.TemporaryDirectory() as folder:
        cold, plain, warm, disk = [], [], [], []
        for turn in range(TURNS):
            asked = [document + bench.ids(30, 1000 * turn + n) for n in range(4)]
            scope = bench.scope()
            opened = disk_engine(bench, Path(folder))
            cold.append(bench.ask(asked[0], 1, scope, opened))
            plain.append(bench.plain_seconds(asked[1], 1))
            warm += [bench.ask(ids, 1, scope, opened) for ids in asked[1:]]
            opened.memory._disk.wait()
            restarted = disk_engine(bench, Path(folder))
            disk.append(bench.ask(asked[1], 1, scope, restarted))
            restarted.memory._disk.wait()  # it writes too: the folder must not go meanwhile
    yield compared(f"generate: first token, other question, {count} tokens", warm, plain, goal)
    yield compared(f"generate: cold prefill, {count} tokens", cold, plain, "<= 1.05", slower=True)
    if count == 4000:
        yield compared("generate: first token from disk, 4000 tokens", disk, plain, ">= 10")


def decoding(bench: Bench) -> Iterator[Figure]:
    """From token to token behind 300 of context, without guesses: the median of all steps."""
    bench.engine.reader.can_draft = False
    ours: list[float] = []
    plain: list[float] = []
    for turn in range(DECODE_TURNS):
        ids = bench.ids(300, 50 + turn)
        watch = Watch()
        bench.generate(ids, 1 + DECODED, streamer=watch)
        plain += watch.gaps()
        watch = Watch()
        watch.put(ids)
        request = bench.request(ids, 1 + DECODED, bench.scope())
        while (token := request.get(600)) is not None:
            watch.put(token)
        ours += watch.gaps()
    bench.engine.reader.can_draft = True
    yield compared("generate: decode, seconds a token", ours, plain, "<= 1.05", slower=True)


def guessing(bench: Bench) -> Iterator[Figure]:
    return guesses(bench, TURNS)


def side_by_side(bench: Bench) -> Iterator[Figure]:
    """Total tokens a second of eight streams, against one."""
    alone, together = [], []
    for turn in range(TURNS):
        asked = [bench.ids(60 + n, 90 + 10 * turn + n) for n in range(8)]
        bench.engine.reader.can_draft = False
        alone.append(bench.ask(asked[0], 24, bench.scope()))
        together.append(seconds(lambda: all_of(bench, asked, 24)) / 8)  # noqa: B023
    bench.engine.reader.can_draft = True
    yield compared("generate: 8 streams, total tokens/s against one", together, alone, ">= 2.5")


def streaming(bench: Bench) -> Iterator[Figure]:
    """Sixteen readers in threads of their own, with text and stop strings, against bare tokens."""
    generator = LocalGenerator(GeneratorConfig(cache_dir=MODELS))
    engine = generator._engine
    engine.reader.can_draft = False
    messages = [Message("user", "Tell me a long story about a judge at sea.")]
    ids = generator._script.prompt(messages)
    bare, read = [], []
    sixteen(generator, messages, ids, stream=False)  # from then on the prompt has been read
    for _ in range(TURNS):
        for stream, kept in ((False, bare), (True, read)):
            kept.append(seconds(lambda: sixteen(generator, messages, ids, stream=stream)))  # noqa: B023
    yield compared(
        "generate: 16 streams read as text against tokens alone", read, bare, "<= 1.05", slower=True
    )
    yield Figure("generate: cancelling frees the engine", cancelling(bench) * 1000, "ms", "<= 100")


def sixteen(generator: LocalGenerator, messages: list[Message], ids: list[int], *, stream: bool) -> None:
    if not stream:
        requests = [Request(ids, 40, GREEDY) for _ in range(16)]
        for request in requests:
            generator._engine.submit(request)
        for request in requests:
            request.tokens()
        return
    options = Options(max_tokens=40, stop=("never said",), deadline_seconds=3600)
    streams = [generator.stream(messages, options, lambda: False) for _ in range(16)]
    with ThreadPoolExecutor(16) as readers:
        list(readers.map("".join, streams))  # raises what a stream raised


def cancelling(bench: Bench) -> float:
    """Seconds from closing to idle, in the midst of a prompt's chunk; the median of five."""
    taken = []
    for turn in range(5):
        request = bench.request(bench.ids(1500, 200 + turn), 5, bench.scope())
        time.sleep(0.4)
        began = time.monotonic()
        request.close()
        while not bench.engine.is_idle:
            time.sleep(0.001)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def twenty_questions(bench: Bench) -> Iterator[Figure]:
    """Over one document of 4,000 tokens, at once and one after another; the plain call reads it each time.

    A few of those one after another are timed, and of the plain calls; the others are taken as alike.
    """
    document = bench.ids(4000, 400)
    asked = [document + bench.ids(30, 410 + n) for n in range(QUESTIONS)]
    plain = [bench.plain_seconds(ids, ANSWER) for ids in asked[: PLAIN_QUESTIONS * TURNS]]
    whole = QUESTIONS * statistics.mean(plain)
    together = seconds(lambda: all_of(bench, asked, ANSWER))
    yield Figure(
        "generate: 20 questions over 4000 tokens, at once", together, "s", ">= 4", whole, whole / together
    )
    scope = bench.scope()
    first, *others = (bench.ask(ids, ANSWER, scope) for ids in asked[: 1 + OUR_QUESTIONS * TURNS])
    ours = first + (QUESTIONS - 1) * statistics.mean(others)
    name = "generate: 20 questions over 4000 tokens, one after another"
    yield Figure(name, ours, "s", ">= 4", whole, whole / ours)


@torch.inference_mode()
def logits(_: Bench) -> Iterator[Figure]:
    """fp32: the next token's logits with the document from the cache, against one plain pass."""
    bench = Bench(torch.float32)
    document, scope = bench.ids(2000, 500), bench.scope()
    ids = document + bench.ids(30, 501)
    bench.ask(document, 0, scope)
    rows = []
    step = bench.engine.reader.step
    bench.engine.reader.step = lambda *given: rows.append(step(*given)) or rows[-1]  # type: ignore[func-returns-value]
    bench.ask(ids, 1, scope)
    theirs = bench.plain(torch.tensor([ids]), logits_to_keep=1).logits[0, -1]
    difference = (rows[0][0][-1] - theirs).abs().max().item()
    yield Figure("generate: logits from the cache against a plain pass, fp32", difference, "", "<= 0.0005")


def disk_engine(bench: Bench, folder: Path) -> Engine:
    """An engine that has read nothing, over the same model and folder: as after a restart."""
    return Engine(bench.model, NO_ENDS, Limits(), Place(folder, 4 << 30, "bench"))


def all_of(bench: Bench, asked: list[list[int]], tokens: int) -> None:
    scope = bench.scope()
    for request in [bench.request(ids, tokens, scope) for ids in asked]:
        request.tokens()


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "short": short,
    "long": long,
    "decoding": decoding,
    "guessing": guessing,
    "side_by_side": side_by_side,
    "streaming": streaming,
    "rounding": rounding,
    "twenty_questions": twenty_questions,
    "logits": logits,
    "blending": blending,
}
