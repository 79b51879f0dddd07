"""Placing and lifting legal holds, and the triggers by which the database itself keeps them."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from knowledge import audit
from knowledge.models import Hold, Matter

REFUSAL = "The matter is under a legal hold."

# table → the matter of a row that is to be deleted
GUARDED = {
    "knowledge_matter": "OLD.id",
    "knowledge_document": "OLD.matter_id",
    "knowledge_version": "(SELECT matter_id FROM knowledge_document WHERE id = OLD.document_id)",
    "knowledge_answer": "OLD.matter_id",
    "knowledge_run": "OLD.matter_id",
    "knowledge_wall": "OLD.matter_id",
}
_STANDS = "SELECT 1 FROM knowledge_hold WHERE lifted IS NULL AND matter_id = {}"


class Held(Exception):
    """Nothing of this matter may be deleted."""

    def __init__(self) -> None:
        super().__init__(f"{REFUSAL} Nothing of it can be deleted.")


def check(matter: Matter) -> None:
    """Raises Held. Whoever does not ask is refused by the database."""
    if standing(matter).exists():
        raise Held


def standing(matter: Matter) -> QuerySet[Hold]:
    return Hold.objects.filter(matter=matter, lifted=None)


def place(matter: Matter, reason: str, by: User | None) -> Hold:
    with transaction.atomic():
        hold = Hold.objects.create(matter=matter, reason=reason, by=by)
        _record(hold, "placed", reason)
        return hold


def lift(matter: Matter) -> int:
    """Lift every hold of the matter; returns how many there were."""
    with transaction.atomic():
        held = list(standing(matter))
        standing(matter).update(lifted=timezone.now())
        for hold in held:
            _record(hold, "lifted")
        return len(held)


def _record(hold: Hold, what: str, reason: str = "") -> None:
    audit.record(
        audit.Act.CHANGE, f"hold:{hold.pk}", matter_id=hold.matter_id, text=reason, details={"hold": what}
    )


def install(connection: Any) -> None:
    with connection.cursor() as cursor:
        for statement in _postgres() if connection.vendor == "postgresql" else _sqlite():
            cursor.execute(statement)


def remove(connection: Any) -> None:
    """For migrating back, and for tests that empty their tables."""
    on = " ON {table}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for table in (*GUARDED, "knowledge_hold"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_held" + on.format(table=table))


def _conditions() -> list[tuple[str, str]]:
    """Each guarded table, with the condition under which its rows stay."""
    held = [(table, f"EXISTS ({_STANDS.format(matter)})") for table, matter in GUARDED.items()]
    return [*held, ("knowledge_hold", "OLD.lifted IS NULL")]


def _sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER {table}_held BEFORE DELETE ON {table} WHEN {stands} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for table, stands in _conditions()
    ]


def _postgres() -> list[str]:
    statements = []
    for table, stands in _conditions():
        statements.append(
            f"CREATE OR REPLACE FUNCTION {table}_held() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {stands} THEN RAISE EXCEPTION '{REFUSAL}'; END IF; RETURN OLD; END $$"
        )
        statements.append(
            f"CREATE TRIGGER {table}_held BEFORE DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_held()"
        )
    return statements
