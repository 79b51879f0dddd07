import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch

from inference import folder
from inference.errors import ModelMissing
from inference.generator import GeneratorConfig, open_generator, weights
from tests.inference.conftest import CACHE


def opening(model, cache):
    return open_generator(GeneratorConfig(model=str(model), device="cpu", cache_dir=cache))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelMissing, match="nowhere"):
        opening(tmp_path / "nowhere", tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelMissing, match="no weights"):
        opening(tmp_path, tmp_path)


def test_pickled_weights_are_refused(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "pickled")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelMissing, match="pickled"):
        opening(copy, tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused(tiny, tmp_path, name):
    copy = shutil.copytree(tiny, tmp_path / "custom")
    config = json.loads((copy / name).read_text())
    (copy / name).write_text(json.dumps({**config, "auto_map": {"AutoModelForCausalLM": "model.Mine"}}))
    with pytest.raises(ModelMissing, match="code of its own"):
        opening(copy, tmp_path)


def test_a_folder_that_does_not_match_its_manifest_is_refused(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "listed")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in copy.iterdir()}
    (copy / "manifest.json").write_text(json.dumps({"files": files}))
    assert opening(copy, tmp_path).window == 4096
    config = (copy / "config.json").read_text()
    (copy / "config.json").write_text(config + " ")
    with pytest.raises(ModelMissing, match=r"config\.json changed"):
        opening(copy, tmp_path)
    (copy / "config.json").write_text(config)
    (copy / "more.txt").write_text("not listed")
    with pytest.raises(ModelMissing, match=r"more\.txt"):
        opening(copy, tmp_path)


def test_a_gguf_that_does_not_match_its_manifest_is_refused(tmp_path):
    """The file itself is held against it, by whatever name it is opened; not only the copy made of it."""
    gguf = next(folder.wheel_folder(weights.DEFAULT_PACKAGE).glob("*.gguf"))
    copy = tmp_path / "listed"
    copy.mkdir()
    (copy / gguf.name).symlink_to(gguf)
    manifest = copy / "manifest.json"
    manifest.write_text(json.dumps({"files": {gguf.name: "0" * 64}}))
    for place in (copy, copy / gguf.name):
        with pytest.raises(ModelMissing, match=r"manifest\.json"):
            opening(place, CACHE)
    manifest.write_text(json.dumps({"files": {gguf.name: hashlib.sha256(gguf.read_bytes()).hexdigest()}}))
    for place in (copy, copy / gguf.name):
        assert opening(place, CACHE).window == 8192


def test_broken_weights_are_refused(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "broken")
    (copy / "model.safetensors").write_bytes(b"nonsense" * 100)
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        opening(copy, tmp_path)


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a model")
    with pytest.raises(ModelMissing, match="GGUF"):
        opening(text, tmp_path)
    fake = tmp_path / "fake.gguf"
    fake.write_bytes(b"GGUF but not really")
    with pytest.raises(ModelMissing, match="cannot be read"):
        opening(fake, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_several_gguf_files_need_a_choice(tmp_path):
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ModelMissing, match="several"):
        opening(tmp_path, tmp_path)


def test_the_dequantised_copy_is_made_once_and_reused(smol):
    gguf = next(folder.wheel_folder(weights.DEFAULT_PACKAGE).glob("*.gguf"))
    made = CACHE / weights._key(gguf, torch.float32) / "model.safetensors"
    before = made.stat().st_mtime_ns
    again = weights.load("", CACHE, torch.device("cpu"), torch.float32)
    assert made.stat().st_mtime_ns == before
    assert torch.equal(again.model.get_input_embeddings().weight, smol.model.get_input_embeddings().weight)


def test_a_changed_gguf_file_gets_a_new_copy(tmp_path):
    """Though of the same size and time, and with the same beginning."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"x" * (1 << 21) + b"one")
    first, before = weights._key(file, torch.float32), file.stat()
    file.write_bytes(b"x" * (1 << 21) + b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert weights._key(file, torch.float32) != first
    assert weights._key(file, torch.bfloat16) != weights._key(file, torch.float32)


def test_a_fine_tune_is_another_model_than_its_base(tiny, tmp_path):
    """Though of the same size and with the same beginning: what was read by one is nothing for the other."""
    copied = tmp_path / "tuned"
    shutil.copytree(tiny, copied)
    [file] = copied.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    base, tuned = (
        weights.load(str(folder), tmp_path, torch.device("cpu"), torch.float32) for folder in (tiny, copied)
    )
    assert base.fingerprint != tuned.fingerprint


SMALL = """
import resource, sys
from pathlib import Path
import torch
from inference.errors import ModelMissing
from inference.generator import weights

torch.set_num_threads(1)
weights.AutoModelForCausalLM  # what loading imports is in memory before the limit
weights.load(sys.argv[1], Path(sys.argv[3]), torch.device("cpu"), torch.float32)
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (64 << 20), held + (64 << 20)))
try:
    weights.load(sys.argv[2], Path(sys.argv[3]), torch.device("cpu"), torch.float32)
except ModelMissing as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on a process's memory")
def test_a_model_that_does_not_fit_says_so(tiny):
    ran = subprocess.run([sys.executable, "-c", SMALL, tiny, "", CACHE], capture_output=True, text=True)
    assert "does not fit in the memory of cpu" in ran.stdout, ran.stderr
