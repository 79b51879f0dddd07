"""A kept thread for each request: Django makes a new one each time, and with it a new database connection."""

from collections import deque
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

from knowledge.bodies import Application, Receive, Send

MOST_IDLE = 16  # threads kept while nobody asks; however many ask at once, each has one


def lent(application: Application) -> Application:
    """The application whose synchronous code runs, for one request, in one thread that others had before."""
    idle: deque[ThreadPoolExecutor] = deque()

    async def lending(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        thread = idle.pop() if idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await application(scope, receive, send)
        finally:
            _give_back(thread, idle)

    return lending


def _give_back(thread: ThreadPoolExecutor, idle: deque[ThreadPoolExecutor]) -> None:
    """Not before it has ended what it does: a caller who hangs up does not end a query."""
    if len(idle) < MOST_IDLE:
        thread.submit(int).add_done_callback(lambda _: idle.append(thread))
    else:
        thread.submit(connections.close_all)
        thread.shutdown(wait=False)
