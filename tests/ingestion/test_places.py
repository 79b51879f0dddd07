"""Places at work: never more than there are, and lent while a job waits for the disk."""

import time
from threading import Barrier, Thread

from django.conf import settings

from ingestion import places


def test_a_place_that_is_lent_is_had_by_another_and_comes_back():
    """With every place held and lent, as many others can have one: all meet at the barrier."""
    met = Barrier(2 * settings.WORKERS, timeout=20)
    done: list[str] = []

    def lends() -> None:
        with places.held():
            with places.lent():
                met.wait()
            done.append("lent")

    def takes() -> None:
        with places.held():
            met.wait()
            done.append("had")

    lenders = [Thread(target=lends) for _ in range(settings.WORKERS)]
    takers = [Thread(target=takes) for _ in range(settings.WORKERS)]
    for thread in [*lenders, *takers]:
        thread.start()
    for thread in [*lenders, *takers]:
        thread.join(30)
    assert sorted(done) == ["had"] * settings.WORKERS + ["lent"] * settings.WORKERS


def test_there_are_no_more_places_than_workers():
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with places.held():
                inside.append(1)
                time.sleep(0.001)  # without a limit, all of them would be in here now
                most.append(len(inside))
                inside.pop()

    threads = [Thread(target=work) for _ in range(4 * settings.WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert max(most) <= settings.WORKERS


def test_who_has_no_place_lends_none():
    with places.lent(), places.lent():
        pass
    with places.held():
        pass
