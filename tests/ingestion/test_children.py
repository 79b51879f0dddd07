"""The warm interpreter that parsers are forked from: it may end at any moment; its children share nothing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

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


def read_at_once(letter: Path) -> str:
    """What is read of it, by the first child that is asked and without waiting out a silence."""
    return sandbox.parse_in_child(letter, letter.name, sandbox.Limits(silent_seconds=20)).pages[0].text


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


def test_one_that_was_killed_is_replaced_while_a_child_of_it_still_runs(tmp_path, letter):
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)")
    older = children.fork(tmp_path / "sleeper.py", LIMITS, [], tmp_path)
    [nursery] = nurseries(psutil.Process())
    nursery.kill()
    try:
        assert read_at_once(letter) == "The rent is due.\n"
        assert older.wait(0.01) is None
    finally:
        older.close()


def test_a_request_that_a_lost_nursery_did_not_take_is_made_anew(letter):
    read_at_once(letter)
    [nursery] = nurseries(psutil.Process())
    opened = psutil.Process().num_fds()
    nursery.suspend()
    killer = Timer(0.3, nursery.kill)
    killer.start()
    assert read_at_once(letter) == "The rent is due.\n"
    killer.join()
    assert psutil.Process().num_fds() == opened


def test_an_old_one_that_does_not_end_is_killed(letter, monkeypatch):
    read_at_once(letter)
    [nursery] = nurseries(psutil.Process())
    nursery.suspend()
    monkeypatch.setattr(children, "END_SECONDS", 0.1)
    monkeypatch.setattr(children, "MOST_CHILDREN", 1)
    assert read_at_once(letter) == "The rent is due.\n"
    assert not nursery.is_running()


def test_a_parser_that_cannot_be_loaded_is_no_harm_to_the_others(letter, tmp_path, monkeypatch, capfd):
    (tmp_path / "broken.py").write_text("raise RuntimeError('no such processor')")
    (tmp_path / "breaking_nursery.py").write_text(
        f"import sys\nsys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n"
        "from ingestion.parse import nursery\n"
        "nursery.PARSERS = {'broken': ('broken', 'parse'), **nursery.PARSERS}\nnursery.main()"
    )
    children._close()
    monkeypatch.setattr(children, "NURSERY", tmp_path / "breaking_nursery.py")
    assert read_at_once(letter) == "The rent is due.\n"
    said = ""

    def has_said() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "broken: RuntimeError: no such processor\n" in said

    until(has_said)
    assert read_at_once(letter) == "The rent is due.\n"
    assert said.count("broken") == 1
    children._close()


def test_a_child_cannot_leave_what_is_killed(tmp_path):
    program = """
import os, time
try:
    os.setpgid(0, os.getppid())
except PermissionError:
    pass
open("pid", "w").write(str(os.getpid()))
time.sleep(60)
"""
    (tmp_path / "program.py").write_text(program)
    child = children.fork(tmp_path / "program.py", LIMITS, [], tmp_path)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pid = int((tmp_path / "pid").read_text())
    child.close()
    assert child.wait(0) == -signal.SIGKILL
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("trick", ["os.unlink('stderr')", "os.unlink('stderr'); os.mkfifo('stderr')"])
def test_a_crash_that_took_its_complaints_away_is_a_crash(tmp_path, monkeypatch, letter, trick):
    (tmp_path / "program.py").write_text(f"import os\n{trick}\nos.abort()")
    monkeypatch.setattr(sandbox, "CHILD", tmp_path / "program.py")
    with pytest.raises(ParserKilled) as error:
        read_at_once(letter)
    assert error.value.code == "crashed"


def test_protections_are_measured_where_parsers_run(tmp_path, monkeypatch):
    program = "open('protections.json', 'w').write('[\"' + open('/proc/self/cmdline').read()[-10:-1] + '\"]')"
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(sandbox, "CHILD", tmp_path / "program.py")
    assert sandbox.protections.__wrapped__()[0] == children.NURSERY.name[-9:]


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


ESCAPING = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        open("pid", "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
while not (os.path.exists("pid") and open("pid").read()):
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""


def test_what_a_child_put_into_another_session_ends_with_it(tmp_path):
    assert run(ESCAPING, tmp_path, "0.2") == 0  # and the end of its parent, an orphan, did not end the child
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_what_a_killed_child_put_into_another_session_ends_too(tmp_path):
    (tmp_path / "program.py").write_text(ESCAPING)
    child = children.fork(tmp_path / "program.py", LIMITS, ["60"], tmp_path)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child.close()
    assert child.wait(0) == -signal.SIGKILL
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def until(is_so, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
