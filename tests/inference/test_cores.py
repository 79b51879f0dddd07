"""On one core or on all of them: the way that takes less, found out and looked after."""

import subprocess
import sys
import threading

import pytest
import torch

from inference.cores import Cores, Ways, lone_thread


def shares(seconds, steps=1000):
    """Of the steps on one core, and of the time above that of the better way; seconds(step): of both ways."""
    ways, alone, lost = Ways(), 0, 0.0
    for step in range(steps):
        is_alone = ways.is_alone()
        taken = seconds(step)[0 if is_alone else 1]
        ways.add(taken, is_alone=is_alone)
        alone += is_alone
        lost += taken / min(seconds(step)) - 1
    return alone / steps, lost / steps


@pytest.mark.parametrize(("alone", "all_cores"), [(0.04, 0.05), (0.05, 0.04), (0.4, 0.04), (0.04, 0.4)])
def test_the_quicker_way_is_kept_and_trying_the_other_costs_little(alone, all_cores):
    share, lost = shares(lambda _: (alone, all_cores))
    assert share > 0.95 if alone < all_cores else share < 0.05
    assert lost < 0.03


def test_a_way_that_became_the_quicker_one_is_found():
    share, _ = shares(lambda step: (0.05, 0.04) if step < 500 else (0.04, 0.05))
    assert 0.4 < share < 0.6


def test_steps_of_other_sizes_are_not_compared():
    taken = Cores()
    for rows in (1, 1, 1, 1, 40):
        taken.run(rows, lambda: None)
    assert len(taken._ways) == 2 if torch.get_num_threads() > 1 else not taken._ways


def test_on_one_core_it_is_computed_in_a_thread_of_its_own(monkeypatch):
    monkeypatch.setattr(Ways, "is_alone", lambda _: True)
    before = torch.get_num_threads()
    if before == 1:
        pytest.skip("torch has one thread")
    seen = Cores().run(1, lambda: (threading.current_thread().name, torch.get_num_threads()))
    assert seen[0].startswith("step") and seen[1] == 1
    assert torch.get_num_threads() == before


def test_what_it_raises_is_raised_and_is_no_measurement():
    taken = Cores()

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        taken.run(1, fail)
    assert all(not any(ways._counts.values()) for ways in taken._ways.values())


def test_a_thread_begun_later_has_all_cores():
    before = torch.get_num_threads()
    thread = lone_thread("query")
    found = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert thread.submit(torch.get_num_threads).result() == 1
    assert found == [before]
    assert torch.get_num_threads() == before


LATE = """
import threading, time
from inference.cores import Cores

cores = Cores()

def late():
    while threading.main_thread().is_alive():
        time.sleep(0.01)
    time.sleep(0.3)  # the threads of executors take no more then
    print(sum(cores.run(1, lambda: 1) for _ in range(4)))

threading.Thread(target=late).start()
"""


def test_what_goes_on_while_the_process_ends_is_finished():
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr
