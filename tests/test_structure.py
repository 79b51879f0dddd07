"""Rules of the code base that a machine can check."""

import re
from pathlib import Path

from django.conf import settings

from knowledge import queue

ROOT = Path(settings.BASE_DIR)
OURS = [
    path
    for package in ("knowledge", "ingestion", "inference", "tests", "bench")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]
SETTING = re.compile(r'env\.(?:text|boolean|integer|url|path|words)\(\s*"([A-Z_]+)"')


def test_no_file_passes_400_lines():
    long = {path.relative_to(ROOT).as_posix(): lines for path in OURS if (lines := lines_of(path)) > 400}
    assert long == {}


def test_every_setting_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    read = {name for path in OURS for name in SETTING.findall(path.read_text()) if "tests" not in path.parts}
    assert len(read) > 20
    assert {name for name in read if f"`{name}`" not in readme} == set()


def test_every_task_that_knowledge_wakes_is_registered():
    from ingestion.celery import app

    app.loader.import_default_modules()
    assert set(queue.TASKS) <= set(app.tasks)


def test_a_scope_is_made_only_by_access():
    makers = {path.relative_to(ROOT).as_posix() for path in OURS if re.search(r"\bScope\(", path.read_text())}
    assert makers <= {"knowledge/access.py", "tests/test_structure.py", "tests/test_access.py"}


def test_views_and_operations_get_objects_only_through_access():
    """A query by a primary key from the request would go round the door."""
    direct = re.compile(r"\b(?:Matter|Document|Version|Answer|Job|Page|Passage)\.objects\.(?:get|filter)\(")
    fronts = [path for path in OURS if {"views", "api"} & set(path.relative_to(ROOT).parts[:-1])]
    assert [path.name for path in fronts if direct.search(path.read_text())] == []


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())
