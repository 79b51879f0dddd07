#!/usr/bin/env python
"""Command line of the project: `manage.py serve`, `ingest`, `ask`, and Django's own commands."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "knowledge.settings")
    execute_from_command_line(sys.argv)
