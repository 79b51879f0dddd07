import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.embedder import EmbedderConfig, open_embedder
from inference.embedder.bert import TOKENS_AT_ONCE, Bert, batches
from inference.embedder.local import SHORT, LocalEmbedder
from inference.errors import ModelMissing

TEXTS = [
    "The tenant shall pay the rent on the first day of each month.",
    "Rent.",
    "Either party may end the lease with three months' notice, which must be given in writing and received.",
    "Die Kündigung bedarf der Schriftform. § 568 BGB",
    "The court dismissed the appeal.",
    "",
    "A claim in negligence requires a duty of care, a breach of it, and damage caused by the breach. " * 6,
]


def test_vectors_have_length_one_and_the_order_of_the_texts(embedder):
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions) == (7, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    one_by_one = np.stack([embedder.embed_query(text) for text in TEXTS])
    # bf16 rounds differently in another batch; no two of these texts are closer than 0.9
    assert (vectors * one_by_one).sum(axis=1).min() > 0.999
    assert (vectors @ one_by_one.T).argmax(axis=1).tolist() == list(range(len(TEXTS)))


def test_batches_give_what_single_texts_give(embedder):
    """Exactly so in fp32; batches of three mix the lengths and leave a rest."""
    exact = in_fp32(embedder)
    many = exact(TEXTS, 3)
    single = np.concatenate([exact([text], 1) for text in TEXTS])
    np.testing.assert_allclose(many, single, atol=2e-6)


def test_the_fast_precision_agrees_with_fp32(embedder):
    exact = in_fp32(embedder)(TEXTS, 7)
    assert (embedder.embed_passages(TEXTS) * exact).sum(axis=1).min() > 0.9995


def test_fp32_can_be_asked_for(embedder):
    exact = LocalEmbedder(EmbedderConfig(device="cpu", dtype="float32")).embed_passages(TEXTS)
    np.testing.assert_allclose(exact, in_fp32(embedder)(TEXTS, 7), atol=2e-5)


def test_our_own_pass_computes_what_the_library_does(embedder):
    """In fp32 the same vectors, whatever stands in the batch beside a text; in bf16 almost the same."""
    exact = in_fp32(embedder)(TEXTS, 1)
    assert Bert.fits(embedder._model)
    for precision, least in ((torch.float32, 0.999999), (torch.bfloat16, 0.9995)):
        bert = Bert(embedder._model, precision)
        assert (bert.vectors(bert.tokens(TEXTS)) * exact).sum(axis=1).min() > least


def test_batches_hold_every_text_once_and_no_more_tokens_than_allowed():
    lengths = [3, 5000, 40, 700, 700, 700, 1, 2]
    made = list(batches(lengths, 4))
    assert sorted(place for batch in made for place in batch) == list(range(len(lengths)))
    for batch in made:
        assert len(batch) <= 4
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= TOKENS_AT_ONCE


def test_no_texts_give_no_vectors(embedder):
    assert embedder.embed_passages([]).shape == (0, 384)


def test_a_question_is_nearest_to_its_answer(embedder):
    passages = embedder.embed_passages(TEXTS)
    assert int((passages @ embedder.embed_query("When is the rent due?")).argmax()) == 0


def test_a_query_does_not_wait_for_a_whole_document(embedder):
    document = [TEXTS[6]] * 160
    begun = time.monotonic()
    thread = threading.Thread(target=embedder.embed_passages, args=(document,))
    thread.start()
    time.sleep(0.1)
    embedder.embed_query("When is the rent due?")
    waited = time.monotonic() - begun
    thread.join()
    assert waited < (time.monotonic() - begun) / 2


def test_threads_that_embed_have_no_threads_of_torch_each(embedder):
    """Counted by the kernel: torch's own threads are none of Python's."""
    embedder.embed_passages(TEXTS)
    tasks = Path("/proc/self/task")
    before = len(list(tasks.iterdir()))
    begun = threading.Barrier(4)

    def embed():
        embedder.embed_passages(TEXTS)
        begun.wait(20)
        return len(list(tasks.iterdir()))

    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda _: embed(), range(4)))
    assert max(counts) <= before + 4


def test_a_short_query_waits_for_no_batch_and_leaves_all_cores_to_the_others(embedder):
    cores = torch.get_num_threads()
    with embedder._turns:
        embedder.embed_query("When is the rent due?")
    assert embedder._beside.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == cores
    with ThreadPoolExecutor(1) as another:
        assert another.submit(torch.get_num_threads).result() == cores


def test_a_long_query_is_read_as_a_passage_is(embedder):
    long = TEXTS[6]
    assert len(embedder._bert.tokens([long])[0]) > SHORT
    np.testing.assert_array_equal(embedder.embed_query(long), embedder.embed_passages([long])[0])


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelMissing, match="nowhere"):
        open_embedder(EmbedderConfig(model=str(tmp_path / "nowhere")))


def test_the_name_of_a_model_on_a_hub_is_never_downloaded():
    with pytest.raises(ModelMissing, match="folder"):
        open_embedder(EmbedderConfig(model="sentence-transformers/all-mpnet-base-v2"))


def test_modules_of_foreign_classes_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "os.path"}]')
    with pytest.raises(ModelMissing, match="code of its own"):
        open_embedder(EmbedderConfig(model=str(tmp_path)))


def test_importing_the_package_does_not_import_torch():
    code = "import sys, inference.embedder, inference.generator; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def in_fp32(embedder):
    def embed(texts, size):
        return embedder._model.encode_document(
            texts, batch_size=size, normalize_embeddings=True, show_progress_bar=False
        )

    return embed
