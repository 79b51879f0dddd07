"""Whether the parts of the service answer; public, so it names nothing."""

from uuid import uuid4

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from knowledge import generations, queue
from knowledge.index import IndexUnavailable, Where


@login_not_required
@require_GET
def health(_request: HttpRequest) -> JsonResponse:
    """200 while pages can be served; without its database the service cannot, and says 503."""
    parts = {"database": _database(), "broker": queue.is_reachable(), "index": _index()}
    status = "ok" if all(parts.values()) else "degraded"
    return JsonResponse({"status": status, **parts}, status=200 if parts["database"] else 503)


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _index() -> bool:
    """Counting the points of a matter that does not exist asks the engine and reveals nothing."""
    try:
        generations.index(generations.current()).count(Where(frozenset({uuid4()})))
    except IndexUnavailable:
        return False
    return True
