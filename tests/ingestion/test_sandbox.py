"""The sandbox against parsers gone wrong. The hostile programs here stand where the parser's child would."""

import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from ingestion import sandbox
from ingestion.parse.errors import ParseError, ParserKilled

CONFINED = """
import json, sys
sys.path.insert(0, {root!r})
from ingestion.parse.confine import confine
confine(json.loads(sys.argv[1]))
"""
ROOT = str(Path(sandbox.__file__).parent.parent)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Run this code as the child, confined as the real one is, and return what the parent makes of it."""

    def run(code: str, **limits):
        child = tmp_path / "child.py"
        child.write_text(CONFINED.format(root=ROOT) + code)
        monkeypatch.setattr(sandbox, "CHILD", child)
        file = tmp_path / "file.txt"
        file.write_text("text")
        return sandbox.parse_in_child(file, "file.txt", sandbox.Limits(**limits))

    return run


def scratches() -> set[Path]:
    return set(Path(os.environ.get("TMPDIR", "/tmp")).glob("pincite-parse-*"))  # noqa: S108 - only listed


def test_a_good_file_comes_back_and_the_scratch_folder_goes(tmp_path):
    before = scratches()
    (tmp_path / "a.txt").write_text("The rent is due.")
    assert sandbox.parse_in_child(tmp_path / "a.txt", "a.txt").pages[0].text == "The rent is due.\n"
    assert scratches() <= before


def test_memory_is_limited(hostile):
    with pytest.raises(ParserKilled) as error:
        hostile("x = bytearray(900_000_000)", memory_bytes=300_000_000)
    assert error.value.code == "memory"


def test_an_endless_loop_is_stopped(hostile):
    started = time.monotonic()
    with pytest.raises(ParserKilled) as error:
        hostile("while True: pass", silent_seconds=1)
    assert error.value.code == "timeout"
    assert time.monotonic() - started < 20


def test_signs_of_life_do_not_go_on_for_ever(hostile):
    code = "import time, pathlib\nwhile True: pathlib.Path('progress').write_text('1'); time.sleep(0.05)"
    with pytest.raises(ParserKilled) as error:
        hostile(code, silent_seconds=1, wall_seconds=2)
    assert error.value.code == "timeout"


def test_processor_time_is_limited(hostile):
    with pytest.raises(ParserKilled) as error:
        hostile("while True: pass", cpu_seconds=1)
    assert error.value.code == "timeout"


def test_a_crash_is_typed(hostile):
    with pytest.raises(ParserKilled) as error:
        hostile("import ctypes; ctypes.string_at(0)")
    assert error.value.code == "crashed"


@pytest.mark.parametrize(
    "result",
    [
        "",
        "[]",
        "{}",
        '{"code": "new", "message": "x"}',
        '{"pages": 1}',
        "\\x00",
        '{"media_type": "a", "title": "\\ud800"}',
    ],
)
def test_garbage_is_no_result(hostile, result):
    with pytest.raises(ParserKilled) as error:
        hostile(f"open('result.json', 'w', errors='surrogatepass').write({result!r})")
    assert error.value.code == "crashed"


@pytest.mark.parametrize(
    "part",
    [
        '"pages": [], "attachments": [{"name": "a", "file": "../../../../etc/passwd"}]',
        '"attachments": [], "pages": [{"number": 1, "label": "1", "text": "", "kind": "text", '
        '"confidence": null, "width": 0, "height": 0, "boxes": "../../../../etc/passwd"}]',
    ],
)
def test_a_result_cannot_name_files_outside_the_scratch_folder(hostile, part):
    result = '{"media_type": "a", "title": "", "metadata": {}, "refused": [], ' + part + "}"
    with pytest.raises(ParserKilled):
        hostile(f"open('boxes', 'w').write('b'); open('result.json', 'w').write({result!r})")


def test_output_is_limited(hostile):
    with pytest.raises(ParseError):
        hostile("[open(f'{n}', 'wb').write(bytes(100_000)) for n in range(50)]", output_bytes=1_000_000)
    with pytest.raises(ParserKilled):
        hostile("open('big', 'wb').write(bytes(5_000_000))", file_bytes=1_000_000)


@pytest.mark.skipif(
    "no network" not in sandbox.protections(), reason="this kernel allows no network namespaces"
)
def test_there_is_no_network(hostile):
    code = """
import socket
try:
    socket.create_connection(("127.0.0.1", 22), timeout=2)
except OSError as error:
    # Inside its own namespace not even loopback is up.
    open("result.json", "w").write(json.dumps({"code": "damaged", "message": f"errno {error.errno}"}))
"""
    with pytest.raises(ParseError, match="errno 101"):  # network is unreachable
        hostile(code)


@pytest.mark.parametrize("session", ["False", "True"])
def test_children_of_the_child_end_with_it(hostile, session):
    if session == "True" and "no other processes" not in sandbox.protections():
        pytest.skip("this kernel allows no process namespaces")
    sleeper = f"import time; time.sleep(60)  # {uuid4()}"
    code = f"""
import subprocess
subprocess.Popen([sys.executable, "-c", {sleeper!r}], start_new_session={session})
open("result.json", "w").write(json.dumps({{"code": "damaged", "message": "done"}}))
"""
    with pytest.raises(ParseError, match="done"):
        hostile(code)
    time.sleep(0.2)
    alive = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not any(sleeper in (words or []) for words in alive)


@pytest.mark.skipif(
    "writes only to its own scratch folder" not in sandbox.protections(), reason="this kernel has no Landlock"
)
@pytest.mark.parametrize("mode", ["w", "r"])
def test_files_outside_the_scratch_folder_are_out_of_reach(hostile, tmp_path, mode):
    victim = tmp_path / "other-matter.txt"
    victim.write_text("privileged")
    code = f"""
try:
    open({str(victim)!r}, {mode!r}).close()
    told = "reached"
except PermissionError:
    told = "out of reach"
open("result.json", "w").write(json.dumps({{"code": "damaged", "message": told}}))
"""
    with pytest.raises(ParseError, match="out of reach"):
        hostile(code)
    assert victim.read_text() == "privileged"


@pytest.mark.parametrize(
    "trick", ["os.mkfifo('result.json')", "os.symlink('/dev/zero', 'result.json')", "os.mkdir('result.json')"]
)
def test_a_result_that_is_no_file_is_garbage_and_holds_nobody_up(hostile, trick):
    started = time.monotonic()
    with pytest.raises(ParserKilled):
        hostile(f"import os; {trick}")
    assert time.monotonic() - started < 20


def test_scratch_space_is_limited_while_the_child_still_runs(hostile):
    code = """
import os, time
for n in range(40):
    os.makedirs(f"deep/{n}")
    open(f"deep/{n}/f", "wb").write(bytes(1_000_000))
time.sleep(60)
"""
    with pytest.raises(ParseError) as error:
        hostile(code, output_bytes=10_000_000)
    assert error.value.code == "too_large"


def test_a_cancelled_parse_ends_at_once(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(sandbox.Cancelled):
        sandbox.parse_in_child(tmp_path / "a.txt", "a.txt", is_cancelled=lambda: True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may begin a process namespace this way")
def test_it_works_as_the_first_process_of_a_container(tmp_path):
    (tmp_path / "a.txt").write_text("The rent is due.")
    file = str(tmp_path / "a.txt")
    code = f"from ingestion import sandbox; from pathlib import Path; p = Path({file!r});"
    code += "print(sandbox.parse_in_child(p, p.name).pages[0].text)"
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(ROOT), check=True, capture_output=True, text=True)
    assert "The rent is due." in done.stdout
