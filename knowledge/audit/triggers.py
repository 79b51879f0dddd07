"""What makes the audit append-only in the database itself."""

from typing import Any

TABLES = ("knowledge_auditevent", "knowledge_auditanchor")
REFUSAL = "The audit is only added to."

_POSTGRES = [
    f"""CREATE OR REPLACE FUNCTION knowledge_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$""",
    *(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION knowledge_audit_refuse()"
        for table in TABLES
    ),
    *(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION knowledge_audit_refuse()"
        for table in TABLES
    ),
]
_SQLITE = [
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    for table in TABLES
    for verb in ("UPDATE", "DELETE")
]
_POSTGRES_DROP = [
    f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}"
    for table in TABLES
    for name in ("append_only", "no_truncate")
]
_SQLITE_DROP = [
    f"DROP TRIGGER IF EXISTS {table}_no_{verb}" for table in TABLES for verb in ("update", "delete")
]


def install(connection: Any) -> None:
    _run(connection, _POSTGRES if connection.vendor == "postgresql" else _SQLITE)


def remove(connection: Any) -> None:
    """For migrating back, and for tests that empty their tables."""
    _run(connection, _POSTGRES_DROP if connection.vendor == "postgresql" else _SQLITE_DROP)


def _run(connection: Any, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
