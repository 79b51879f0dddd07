"""A kept thread for each request: Django makes a new one each time, and with it a new database connection."""

from collections import deque
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

from knowledge.bodies import Application, Receive, Send

MOST_IDLE = 16  # threads kept while nobody asks


class Threads:
    """Taken and given back in the event loop alone; however many are wanted at once, each is another one."""

    def __init__(self) -> None:
        self._idle: deque[ThreadPoolExecutor] = deque()
        self._kept = 0  # idle, or idle as soon as they have ended what they do

    def take(self) -> ThreadPoolExecutor:
        if not self._idle:
            return ThreadPoolExecutor(1, thread_name_prefix="request")
        self._kept -= 1
        return self._idle.pop()

    def give_back(self, thread: ThreadPoolExecutor) -> None:
        """Nobody gets it before it has ended what it does: a caller who hangs up does not end a query."""
        if self._kept < MOST_IDLE:
            self._kept += 1
            thread.submit(int).add_done_callback(lambda _: self._idle.append(thread))
        else:
            thread.submit(connections.close_all)
            thread.shutdown(wait=False)


def lent(application: Application) -> Application:
    """The application whose synchronous code runs, for one request, in one thread that others had before."""
    threads = Threads()

    async def lending(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        thread = threads.take()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await application(scope, receive, send)
        finally:
            threads.give_back(thread)

    return lending
