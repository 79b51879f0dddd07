"""Requests have threads that are kept: one each, and none that is still at work for another."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
from asgiref.sync import sync_to_async

from knowledge import lending

Served = Callable[[], Awaitable[None]]


def serving(work: Callable[[], object]) -> tuple[Served, list[int]]:
    """A request to an application that does this work, and the threads in which it was done."""
    threads: list[int] = []

    def noted() -> None:
        threads.append(threading.get_ident())
        work()

    async def application(_scope, _receive, _send) -> None:
        await sync_to_async(noted)()
        await sync_to_async(noted)()

    lent = lending.lent(application)
    return lambda: lent({"type": "http"}, None, None), threads


def test_one_request_after_another_has_the_same_thread():
    request, threads = serving(lambda: None)

    async def ask() -> None:
        for _ in range(3):
            await request()
            await asyncio.sleep(0.05)

    asyncio.run(ask())
    assert len(threads) == 6
    assert len(set(threads)) == 1


@pytest.mark.parametrize("kept", [0, 16])
def test_requests_at_once_have_a_thread_each(monkeypatch, kept):
    monkeypatch.setattr(lending, "MOST_IDLE", kept)
    together = threading.Barrier(3, timeout=20)
    request, threads = serving(together.wait)

    async def ask() -> None:
        await asyncio.gather(request(), request(), request())

    asyncio.run(ask())
    assert sorted(threads.count(each) for each in set(threads)) == [2, 2, 2]


def test_after_many_requests_at_once_only_so_many_threads_are_kept(monkeypatch):
    monkeypatch.setattr(lending, "MOST_IDLE", 3)
    together = threading.Barrier(12, timeout=20)
    request, threads = serving(together.wait)

    async def ask() -> None:
        await asyncio.gather(*(request() for _ in range(12)))

    asyncio.run(ask())
    used = set(threads)
    assert len(used) == 12

    def alive() -> int:
        return len(used & {thread.ident for thread in threading.enumerate()})

    for _ in range(200):
        if alive() <= 3:
            break
        time.sleep(0.05)
    assert alive() == 3


def test_a_thread_that_is_still_at_work_is_lent_to_nobody():
    go_on = threading.Event()
    request, threads = serving(lambda: go_on.wait(20))

    async def ask() -> None:
        left = asyncio.ensure_future(request())
        while not threads:
            await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.wait([left])
        another = asyncio.ensure_future(request())
        while len(threads) < 2:
            await asyncio.sleep(0.01)
        go_on.set()
        await another

    asyncio.run(asyncio.wait_for(ask(), 15))
    assert len(set(threads)) == 2
