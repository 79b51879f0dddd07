"""The warm interpreter that parsers are forked from: it may end at any moment; its children share nothing."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ingestion import children, sandbox
from ingestion.parse.errors import ParserKilled

ROOT = Path(sandbox.__file__).parent.parent
LIMITS = sandbox.Limits().of_child()


# All memory that it may write to, searched for two words; the second one comes to it backwards.
WHAT_IT_KNOWS = """
import json, os, sys
parts = []
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as inside:
    for line in maps:
        if " rw" in line and "[v" not in line:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            inside.seek(start)
            parts.append(inside.read(end - start))
opened = [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
knows = [any(word in part for part in parts) for word in (sys.argv[2].encode(), sys.argv[3][::-1].encode())]
json.dump({"open": opened, "environment": list(os.environ), "knows": knows}, open("said.json", "w"))
"""


@pytest.fixture
def letter(tmp_path) -> Path:
    (tmp_path / "a.txt").write_text("The rent is due.")
    return tmp_path / "a.txt"


def nurseries(process: psutil.Process) -> list[psutil.Process]:
    return [each for each in process.children() if children.NURSERY.name in " ".join(each.cmdline())]


def run(program: str, folder: Path, *words: str) -> int | None:
    """The exit status of a program that is no parser."""
    (folder / "program.py").write_text(program)
    child = children.fork(folder / "program.py", LIMITS, words, folder)
    try:
        return child.wait(20)
    finally:
        child.close()


def test_one_interpreter_serves_file_after_file_until_it_is_old(letter, monkeypatch):
    sandbox.parse_in_child(letter, letter.name)
    [nursery] = nurseries(psutil.Process())
    sandbox.parse_in_child(letter, letter.name)
    assert nurseries(psutil.Process()) == [nursery]
    monkeypatch.setattr(children, "MOST_CHILDREN", 1)
    sandbox.parse_in_child(letter, letter.name)
    [younger] = nurseries(psutil.Process())
    assert younger != nursery


def test_one_that_was_killed_is_replaced(letter):
    sandbox.parse_in_child(letter, letter.name)
    [nursery] = nurseries(psutil.Process())
    nursery.kill()
    time.sleep(0.05)
    assert sandbox.parse_in_child(letter, letter.name).pages[0].text == "The rent is due.\n"


def test_a_killed_keeper_is_a_crash_of_the_parser(tmp_path, monkeypatch, letter):
    program = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time\ntime.sleep(60)"
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(sandbox, "CHILD", tmp_path / "program.py")
    with pytest.raises(ParserKilled) as error:
        sandbox.parse_in_child(letter, letter.name)
    assert error.value.code == "crashed"


def test_a_child_has_nothing_open_and_knows_of_no_other_file(tmp_path):
    other, own = "letter-to-mr-oduya.txt", "memo-of-ms-vantongeren.txt"
    assert run("", tmp_path, other) == 0
    assert run(WHAT_IT_KNOWS, tmp_path, own, other[::-1]) == 0
    said = json.loads((tmp_path / "said.json").read_text())
    assert set(said["open"]) == {"0", "1", "2"}
    assert set(said["environment"]) <= {*children.ENVIRONMENT, "TMPDIR", "HOME", "LC_CTYPE"}
    assert said["knows"] == [True, False]


def test_a_child_ends_with_the_service(tmp_path):
    (tmp_path / "program.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    code = f"""
import time
from pathlib import Path
from ingestion import children
here = Path({str(tmp_path)!r})
children.fork(here / "program.py", {LIMITS!r}, [], here).wait(60)
"""
    service = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    [nursery] = nurseries(psutil.Process(service.pid))
    service.kill()
    service.wait()
    until(lambda: not child.is_running() and not nursery.is_running())


def test_what_a_child_left_running_ends_with_it(tmp_path):
    program = """
import os, time
child = os.fork()
if child == 0:
    time.sleep(60)
open("pid", "w").write(str(child))
"""
    assert run(program, tmp_path) == 0
    left = int((tmp_path / "pid").read_text())
    until(lambda: not psutil.pid_exists(left))


def until(is_so, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
