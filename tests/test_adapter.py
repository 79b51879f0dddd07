"""The trained correction of question vectors."""

import numpy as np
import pytest

from knowledge import adapter, engines
from knowledge.evaluation import training
from knowledge.evaluation.training import Example
from knowledge.models import Generation

OURS, THEIRS = Generation(), Generation(embedder_url="http://embedder.example")


def test_it_is_small_and_keeps_vectors_unit_vectors():
    assert adapter.FILE.stat().st_size < 500_000
    question = engines.embedder().embed_query("Is there a cap on liability under this contract?")
    moved = adapter.adapted(question, OURS)
    assert moved.dtype == np.float32
    assert np.linalg.norm(moved) == pytest.approx(1)
    assert 0.3 < float(moved @ question) < 0.99


def test_a_question_unlike_those_it_learned_from_stays_as_it_is():
    question = engines.embedder().embed_query("What was Mr. Diaz doing when he fell?")
    assert adapter.adapted(question, OURS) == pytest.approx(question, abs=1e-6)


def test_questions_for_another_embedder_stay_as_they_are():
    question = np.eye(384, dtype=np.float32)[7]
    assert adapter.adapted(question, THEIRS) is question


def test_a_question_comes_nearer_to_the_clause_that_answers_it():
    clauses = [
        "In no event shall either party's aggregate obligations exceed the fees of the year before.",
        "Each party is liable to keep this contract, and every contract under it, in a safe place.",
    ]
    embedder = engines.embedder()
    question = embedder.embed_query("Is there a cap on liability under this contract?")
    passages = embedder.embed_passages(clauses)
    before, after = passages @ question, passages @ adapter.adapted(question, OURS)
    assert after[0] - after[1] > before[0] - before[1] + 0.02


def test_training_learns_what_the_words_do_not_say():
    """Questions along one axis are answered by passages along another one."""
    random = np.random.default_rng(0)
    passages = np.eye(32, dtype=np.float32)
    examples = []
    for _ in range(12):
        question = passages[0] + 0.1 * random.normal(size=32).astype(np.float32)
        answers = passages[:, 5].copy()
        examples.append(Example("one", question / np.linalg.norm(question), passages, answers, 0 * answers))
    into, out = training.fit(examples, meaning=0.8)
    moved = examples[0].question + (examples[0].question @ into.astype(np.float32)) @ out.astype(np.float32)
    assert int((passages @ moved).argmax()) == 5
