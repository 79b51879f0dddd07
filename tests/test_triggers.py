"""The triggers that the database must have, against those it has: a table made anew loses its own."""

from django.db import connection

from knowledge import holds
from knowledge.audit import triggers
from knowledge.exact import store

THERE = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND tgenabled = 'O'""",
}
REFUSALS = {
    "sqlite": ("no_update", "no_delete"),
    "postgresql": ("append_only", "no_truncate"),
}


def there() -> set[tuple[str, str]]:
    """Each trigger with its table."""
    with connection.cursor() as cursor:
        cursor.execute(THERE[connection.vendor])
        return set(cursor.fetchall())


def wanted() -> set[tuple[str, str]]:
    held = {(table, f"{table}_held") for table in (*holds.GUARDED, "knowledge_hold")}
    audit = {(table, f"{table}_{name}") for table in triggers.TABLES for name in REFUSALS[connection.vendor]}
    events = ("insert", "delete", "update") if connection.vendor == "sqlite" else ()
    return held | audit | {(store.TABLE, f"{store.TABLE}_{event}") for event in events}


def test_after_all_migrations_each_trigger_is_there(db):
    assert there() == wanted()
