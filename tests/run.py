"""The test command: everything on SQLite, then what touches the database on PostgreSQL where there is one.

python -m tests.run [pytest arguments]
"""

import os
import subprocess
import sys

POSTGRES = os.environ.get("PINCITE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
# Numbers, parsers and the offline run know nothing of the database; the browser has seen the pages on SQLite.
WITHOUT_DATABASE = """
    inference ingestion/test_parse ingestion/test_sandbox ingestion/test_chunks test_index test_offline
    test_structure test_demo_files test_browser test_rendering test_streaming test_kill
    test_power_cut
    """.split()


def main() -> int:
    arguments = sys.argv[1:]
    code = run(arguments, {})
    if code or arguments:
        return code
    if not postgres_is_reachable():
        print("PostgreSQL is not reachable: the tests ran on SQLite only.")
        return 0
    print("Once more on PostgreSQL:")
    ignored = [f"--ignore-glob=tests/{name}*" for name in WITHOUT_DATABASE]
    return run(ignored, {"DATABASE_URL": POSTGRES})


def run(arguments: list[str], environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "pytest", "--numprocesses=2", "--dist=loadgroup", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def postgres_is_reachable() -> bool:
    import psycopg

    try:
        psycopg.connect(POSTGRES, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
