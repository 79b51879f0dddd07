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
SENDING = set("uploads transfers".split())
DOCUMENTS = re.compile(r"matters/<uuid:matter_id>/documents$")


def needed(method: str, route: str) -> Right:
    if method in READING:
        return Right.READ
    words = set(route.split("/"))
    if words & ASKING:
        return Right.ASK
    if words & SENDING or (method == "POST" and DOCUMENTS.search(route)):
        return Right.UPLOAD
    return Right.MANAGE
