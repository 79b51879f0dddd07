"""Which right of a token a route needs. What no line names needs “manage”, so that a new door is not open."""

import re

from knowledge.models.token import Right

READING = {"GET", "HEAD", "OPTIONS"}
# By the words of a route. Changing needs “manage”, but for these:
ASKING = {
    "ask",
    "answers",
    "conversations",
    "reading",
    "questions",
    "research",
    "runs",
    "searches",
    "completions",
    "mcp",
}
WRITING = {"answers", "events"}  # reading the events of an answer has it written
SENDING = set("uploads transfers".split())
DOCUMENTS = re.compile(r"matters/<uuid:matter_id>/documents$")


def needed(method: str, route: str) -> Right:
    words = set(route.split("/"))
    if method in READING:
        return Right.ASK if words >= WRITING else Right.READ
    if words & ASKING:
        return Right.ASK
    if words & SENDING or (method == "POST" and DOCUMENTS.search(route)):
        return Right.UPLOAD
    return Right.MANAGE
